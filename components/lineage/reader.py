"""Reads ML Metadata by SQL: read-only, parameterised, and without TensorFlow or TFX.

ML Metadata's own client answers one small question at a time; a question about a thousand runs
needs the database's joins. The table and column names are those of ML Metadata 1.16, and written
without quotes: that is how SQLite, PostgreSQL and MariaDB all know them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from components.lineage.address import StoreAddress, database_message
from components.lineage.graph import EVENT_KINDS, ArtifactNode, EventEdge, ExecutionNode, Graph
from components.lineage.types import (
    CHECK,
    COLUMN,
    ENVIRONMENT,
    RELEASE,
    RUN,
    TRAINING_DATA,
    run_name,
)
from components.lineage.views import with_views
from components.records.errors import ConfigError

Row = dict[str, Any]
_AT_ONCE = 500  # values in one IN list
# The typed properties of all artifacts of a type, a row each.
_PROPERTIES = (
    "SELECT a.id, a.name AS artifact_name, a.uri, p.name, p.string_value, p.int_value, "
    "p.double_value FROM Artifact a JOIN Type t ON t.id = a.type_id AND t.name = :type "
    "JOIN ArtifactProperty p ON p.artifact_id = a.id AND NOT p.is_custom_property"
)


@dataclass(frozen=True)
class Selected:
    """What a query gave; `cut`: whether there were more rows than were asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool


class MetadataStore:
    """A metadata store, opened for reading; a context manager that closes it.

    Rows of casegate's own artifacts are dictionaries of their properties as
    components/lineage/types.py names them, with `artifact_id`, `name` and `uri`; a property that
    was never set is absent.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address

    def __enter__(self) -> "MetadataStore":
        return self

    def __exit__(self, *_: object) -> None:
        if "_engine" in self.__dict__:
            self._engine.dispose()

    @cached_property
    def _engine(self) -> Any:
        return self._address.engine(read_only=True)

    def query(self, sql: str, **values: Any) -> list[Row]:
        """Rows of a SELECT over the documented views and ML Metadata's tables.

        Args:
          values: bound parameters, `:name` in the SQL; a list or tuple fills an `IN :name`.
        """
        import sqlalchemy

        statement = sqlalchemy.text(with_views(sql))
        several = [name for name, value in values.items() if isinstance(value, list | tuple)]
        statement = statement.bindparams(
            *(sqlalchemy.bindparam(name, expanding=True) for name in several)
        )
        with self._connected() as connection:
            return [dict(row) for row in connection.execute(statement, values).mappings()]

    def select(self, sql: str, *, limit: int) -> Selected:
        """What a query gives, taken literally: a colon or a per cent sign in it is just that.

        Through a cursor on the server where there is one: that reads no more rows than it gives,
        and takes no second statement.

        Args:
          limit: rows at most.
        """
        import sqlite3

        import sqlalchemy

        options = {"no_parameters": True, "stream_results": True, "max_row_buffer": limit + 1}
        with self._connected() as connection:
            try:
                result = connection.execution_options(**options).exec_driver_sql(with_views(sql))
                columns = tuple(result.keys())
                rows = [tuple(row) for row in result.fetchmany(limit + 1)]
            except (sqlite3.Warning, sqlalchemy.exc.InvalidRequestError) as error:
                raise ConfigError(f"the query: {error}; ask one SELECT") from None
            result.close()
        return Selected(columns, tuple(rows[:limit]), cut=len(rows) > limit)

    def runs(self, workspace_id: str, *, columns: Sequence[str] = (), **where: Any) -> list[Row]:
        """Runs with these properties, newest first.

        Args:
          columns: only these properties of each, because there may be thousands; all if none.
        """
        found = self._artifacts(RUN, {"workspace_id": workspace_id, **where}, columns)
        return sorted(found, key=lambda row: str(row.get("run_id")), reverse=True)

    def run(self, workspace_id: str, run_id: str) -> Row | None:
        return self._named(RUN, run_name(workspace_id, run_id))

    def checks(self, workspace_id: str, run_id: str) -> list[Row]:
        """Checks of a run, in the order they were decided."""
        return self._artifacts(CHECK, {"workspace_id": workspace_id, "run_id": run_id})

    def checks_not_passed(self, workspace_id: str) -> list[Row]:
        """Checks of all runs whose verdict is not PASS, in the order they were decided."""
        return [
            row
            for verdict in ("FAIL", "INCONCLUSIVE")
            for row in self._artifacts(CHECK, {"workspace_id": workspace_id, "verdict": verdict})
        ]

    def releases(self, workspace_id: str) -> list[Row]:
        """Releases and rollbacks, oldest first."""
        return self._artifacts(RELEASE, {"workspace_id": workspace_id})

    def environment(self, environment_sha256: str) -> Row | None:
        return self._named(ENVIRONMENT, environment_sha256)

    def packages(self, environment_sha256: str) -> dict[str, str]:
        """Name to version; empty where the environment is not in the store."""
        rows = self.query(
            "SELECT package, version FROM packages WHERE environment_sha256 = :sha256",
            sha256=environment_sha256,
        )
        return {row["package"]: row["version"] for row in rows}

    def training_set(self, root: str) -> Row | None:
        return self._named(TRAINING_DATA, root)

    def run_graph(self, pipeline_run: str) -> Graph:
        """All that ML Metadata holds of one run of the graph, as TFX wrote it."""
        executions = self.query(
            "SELECT execution_id AS id, component AS type, state, started_ms, ended_ms "
            "FROM components WHERE pipeline_run = :run ORDER BY execution_id",
            run=pipeline_run,
        )
        ids = [row["id"] for row in executions]
        events = self._in(
            "SELECT v.id, v.execution_id, v.artifact_id, v.type, p.step_key FROM Event v "
            "LEFT JOIN EventPath p ON p.event_id = v.id AND NOT p.is_index_step "
            "WHERE v.execution_id IN :keys ORDER BY v.id",
            ids,
        )
        nodes = self._in(
            "SELECT s.execution_id, c.name FROM Association s "
            "JOIN Context c ON c.id = s.context_id "
            "JOIN Type k ON k.id = c.type_id AND k.name = 'node' WHERE s.execution_id IN :keys",
            ids,
        )
        node_of = {row["execution_id"]: row["name"] for row in nodes}
        properties = self._properties("Execution", ids)
        return Graph(
            executions=tuple(
                ExecutionNode(
                    **row,
                    component=str(node_of.get(row["id"], row["type"])).rpartition(".")[2],
                    properties=properties.get(row["id"], {}),
                )
                for row in executions
            ),
            artifacts=tuple(self.artifacts(sorted({event["artifact_id"] for event in events}))),
            events=tuple(
                EventEdge(
                    e["execution_id"], e["artifact_id"], EVENT_KINDS[e["type"]], e["step_key"]
                )
                for e in events
            ),
        )

    def artifacts(self, ids: Sequence[int]) -> list[ArtifactNode]:
        """Artifacts of any type, in the order of ids, with all their properties."""
        rows = self._in(
            "SELECT artifact_id AS id, type, name, uri, state, created_ms FROM artifacts "
            "WHERE artifact_id IN :keys",
            ids,
        )
        properties = self._properties("Artifact", ids)
        return [
            ArtifactNode(**row, properties=properties.get(row["id"], {}))
            for row in sorted(rows, key=lambda row: row["id"])
        ]

    def _artifacts(
        self, type_name: str, where: Mapping[str, Any], columns: Sequence[str] = ()
    ) -> list[Row]:
        """Artifacts of a type whose typed properties have these values, in the order of ids."""
        joins, values = list[str](), dict[str, Any]()
        for number, (name, value) in enumerate(where.items()):
            joins.append(
                f"JOIN ArtifactProperty w{number} ON w{number}.artifact_id = a.id "
                f"AND NOT w{number}.is_custom_property AND w{number}.name = :name{number} "
                f"AND w{number}.{COLUMN[type(value)]} = :value{number}"
            )
            values |= {f"name{number}": name, f"value{number}": value}
        if columns:
            values["columns"] = list(columns)
        some = "WHERE p.name IN :columns" if columns else ""
        sql = f"{_PROPERTIES} {' '.join(joins)} {some} ORDER BY a.id"
        return _pivot(self.query(sql, type=type_name, **values))

    def _named(self, type_name: str, name: str) -> Row | None:
        rows = self.query(f"{_PROPERTIES} WHERE a.name = :name", type=type_name, name=name)
        return next(iter(_pivot(rows)), None)

    def _properties(self, kind: str, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        column = f"{kind.lower()}_id"
        rows = self._in(
            f"SELECT {column} AS id, name, string_value, int_value, double_value, bool_value "
            f"FROM {kind}Property WHERE {column} IN :keys ORDER BY {column}, name",
            ids,
        )
        found: dict[int, dict[str, Any]] = {}
        for row in rows:
            found.setdefault(row["id"], {})[row["name"]] = _value(row)
        return found

    def _in(self, sql: str, keys: Sequence[int]) -> list[Row]:
        """Rows of a query with `IN :keys`, asked in portions that every server takes."""
        return [
            row
            for start in range(0, len(keys), _AT_ONCE)
            for row in self.query(sql, keys=keys[start : start + _AT_ONCE])
        ]

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import sqlalchemy

        try:
            with self._engine.connect() as connection:
                yield connection
        except sqlalchemy.exc.DBAPIError as error:
            words = database_message(error)
            raise ConfigError(f"{self._address}: cannot be read: {words}") from None


def _pivot(rows: Sequence[Row]) -> list[Row]:
    """One dictionary per artifact, from its rows of properties."""
    found: dict[int, Row] = {}
    for row in rows:
        known = found.setdefault(
            row["id"],
            {"artifact_id": row["id"], "name": row["artifact_name"], "uri": row["uri"]},
        )
        known[row["name"]] = _value(row)
    return list(found.values())


def _value(row: Row) -> Any:
    for column in COLUMN.values():
        if row[column] is not None:
            return row[column]
    flag = row.get("bool_value")
    return None if flag is None else bool(flag)
