"""What ML Metadata holds of one real run, to be copied."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
OUTPUT = 4  # of ML Metadata's kinds of events


class Template:
    """Rows by table, with the ids that they have where they come from.

    Attributes:
      executions, events, artifacts, contexts: in the order of ids; artifacts are those that the
        run put out, from the cache or not.
      paths, associations, attributions: by event, execution and artifact.
      properties: of artifacts and executions, by table and id.
      made_by: artifact -> the execution of this run that put it out.
      components: execution -> component.
      kind: context -> pipeline, pipeline_run, node or execution_cache.
    """

    def __init__(self, connection: sqlite3.Connection, pipeline_run: str) -> None:
        self._connection = connection
        self.pipeline_run = pipeline_run
        (run,) = self._read("SELECT * FROM Context WHERE name = ?", [pipeline_run])
        ids = self._read("SELECT execution_id FROM Association WHERE context_id = ?", [run["id"]])
        self.executions = self._of("Execution", "id", [row["execution_id"] for row in ids])
        executions = [row["id"] for row in self.executions]
        self.events = self._of("Event", "execution_id", executions)
        self.paths = self._grouped("EventPath", "event_id", [row["id"] for row in self.events])
        outputs = [row for row in self.events if row["type"] == OUTPUT]
        self.made_by = {row["artifact_id"]: row["execution_id"] for row in outputs}
        self.artifacts = self._of("Artifact", "id", sorted(self.made_by))
        self.properties = {
            "Artifact": self._grouped("ArtifactProperty", "artifact_id", list(self.made_by)),
            "Execution": self._grouped("ExecutionProperty", "execution_id", executions),
        }
        self.associations = self._grouped("Association", "execution_id", executions)
        self.attributions = self._grouped("Attribution", "artifact_id", list(self.made_by))
        ties = [row for rows in self.associations.values() for row in rows]
        found = self._of("Context", "id", sorted({row["context_id"] for row in ties}))
        self.contexts = {row["id"]: row for row in found}
        kinds = {row["id"]: row["name"] for row in self._read("SELECT * FROM Type", [])}
        self.kind = {id_: kinds[row["type_id"]] for id_, row in self.contexts.items()}
        self.components = {
            row["execution_id"]: self.contexts[row["context_id"]]["name"].rpartition(".")[2]
            for row in ties
            if self.kind[row["context_id"]] == "node"
        }
        self.started_ms = min(row["create_time_since_epoch"] for row in self.executions)

    def _read(self, sql: str, values: Sequence[Any]) -> list[Row]:
        found = self._connection.execute(sql, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found]

    def _of(self, table: str, column: str, ids: Sequence[int]) -> list[Row]:
        marks = ",".join("?" * len(ids))
        sql = f"SELECT * FROM {table} WHERE {column} IN ({marks}) ORDER BY rowid"
        return self._read(sql, ids)

    def _grouped(self, table: str, column: str, ids: Sequence[int]) -> dict[int, list[Row]]:
        groups: dict[int, list[Row]] = defaultdict(list)
        for row in self._of(table, column, ids):
            groups[row[column]].append(row)
        return groups
