"""Copies a workspace's SQLite store to a server: ids kept, resumable, and checked at the end.

A table of its own in the target says whose copy it is until the copy is complete. Every batch is
one transaction and the rows go in one order, so that the number of rows there says where to go on.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from components.lineage.address import POSTGRESQL, StoreAddress, database_message
from components.lineage.opening import connect_store, lock_schema
from components.lineage.tables import (
    COUNTED,
    DATA_TABLES,
    SCHEMA_VERSION,
    TABLES,
    TableContent,
    as_written,
    columns_of,
    content,
    count,
    read_rows,
    schema_version,
)
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_json

Progress = Callable[[str, int, int], None]  # what is done to which table, rows done, rows in all
BATCH = 2000
_MARK = "casegate_migration"


def migrate(
    source: StoreAddress, target: StoreAddress, *, progress: Progress, batch: int = BATCH
) -> Mapping[str, TableContent]:
    """Copies every row, or those that an interrupted copy left; nothing may write meanwhile.

    Afterwards the target is a store as any other but for the mark; see `unmark`.

    Args:
      progress: called after each batch.

    Returns:
      What each table holds, the same in both.

    Raises:
      ConfigError: the target holds something else, or cannot hold this.
      IntegrityError: the copy differs.
    """
    if source.path is None or target.path is not None:
        raise ConfigError(f"{source} to {target}: only from a SQLite file to a server")
    with source.opened() as reading, lock_schema(target), target.opened(read_only=False) as writing:
        with reading.connect() as old:
            _require_version(old, source)
            wanted = _contents(old, "reading", progress)
            _prepare(writing, source, target, wanted)
            for table in TABLES:
                _copy(old, writing, table, wanted[table].rows, progress, batch)
            _count_on(old, writing)
        with writing.connect() as new:
            _compare(wanted, _contents(new, "checking", progress), target)
    return wanted


def unmark(target: StoreAddress) -> None:
    """Takes the mark away, once the workspace says that its store is the copy.

    Raises:
      ConfigError: the database refuses.
    """
    with target.opened(read_only=False) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_MARK}")


def _require_version(connection: Any, address: StoreAddress) -> None:
    version = schema_version(connection, address)
    if version != SCHEMA_VERSION:
        raise ConfigError(f"{address}: got schema version {version}, wanted {SCHEMA_VERSION}")


def _contents(connection: Any, verb: str, progress: Progress) -> dict[str, TableContent]:
    found = {}
    for table in TABLES:
        found[table] = content(connection, table)
        progress(f"{verb} {table}", found[table].rows, found[table].rows)
    return found


def _prepare(
    writing: Any, source: StoreAddress, target: StoreAddress, wanted: Mapping[str, TableContent]
) -> None:
    """Leaves the target with rows of this copy alone, the first ones of each table."""
    digest = sha256_json({table: vars(there) for table, there in wanted.items()})
    with writing.connect() as connection:
        mark = _mark(connection)
    if mark is None:
        connect_store(target)  # makes the schema
        with writing.connect() as connection:
            _require_version(connection, target)
            filled = {table: count(connection, table) for table in DATA_TABLES}
            if any(filled.values()):
                words = ", ".join(f"{rows} in {table}" for table, rows in filled.items() if rows)
                raise ConfigError(
                    f"{target}: holds other data already ({words}); give an empty database, "
                    "because a copy keeps its ids"
                )
    elif mark[0] != str(source):
        raise ConfigError(
            f"{target}: holds an unfinished copy of {mark[0]}; finish that, or give an empty "
            "database"
        )
    elif mark[1] == digest:
        return
    _begin(writing, str(source), digest)


def _mark(connection: Any) -> tuple[str, str] | None:
    import sqlalchemy

    if not sqlalchemy.inspect(connection).has_table(_MARK):
        return None
    row = connection.exec_driver_sql(f"SELECT source, sha256 FROM {_MARK}").first()
    return (row[0], row[1]) if row else None


def _begin(writing: Any, source: str, digest: str) -> None:
    """Empties the target, which holds types at most or an older copy, and marks it."""
    import sqlalchemy

    with writing.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {_MARK} (source TEXT NOT NULL, sha256 CHAR(64) NOT NULL)"
        )
    with writing.begin() as connection:
        for table in (_MARK, *TABLES):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        statement = f"INSERT INTO {_MARK} (source, sha256) VALUES (:source, :sha256)"
        connection.execute(sqlalchemy.text(statement), {"source": source, "sha256": digest})


def _copy(old: Any, writing: Any, table: str, rows: int, progress: Progress, batch: int) -> None:
    """Copies what is not there yet of a table of so many rows."""
    import sqlalchemy

    with writing.connect() as connection:
        done = count(connection, table)
    columns = columns_of(old, table)
    statement = sqlalchemy.text(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"VALUES ({', '.join(f':{name}' for name in columns)})"
    )
    rows_left = read_rows(old, table, columns, after=done)
    while part := list(islice(rows_left, batch)):
        with writing.begin() as connection:
            kind = connection.dialect.name
            values = [dict(zip(columns, as_written(row, columns, kind))) for row in part]
            try:
                connection.execute(statement, values)
            except sqlalchemy.exc.DBAPIError as error:
                raise ConfigError(
                    f"{writing.url.database}: rows {done + 1} to {done + len(part)} of {table} "
                    f"cannot be written: {database_message(error)}; the workspace still uses the "
                    "original"
                ) from None
        done += len(part)
        progress(f"copying {table}", done, rows)


def _count_on(old: Any, writing: Any) -> None:
    """The target's next ids are those that the source would give, deleted rows considered."""
    import sqlalchemy

    given = {row[0]: row[1] for row in old.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}
    with writing.begin() as connection:
        for table in COUNTED:
            following = int(given.get(table, 0)) + 1
            if writing.dialect.name == POSTGRESQL:
                sql = "SELECT setval(pg_get_serial_sequence(:table, 'id'), :id, false)"
                values = {"table": table.lower(), "id": following}
                connection.execute(sqlalchemy.text(sql), values)
            else:
                connection.exec_driver_sql(f"ALTER TABLE {table} AUTO_INCREMENT = {following}")


def _compare(
    wanted: Mapping[str, TableContent], got: Mapping[str, TableContent], target: StoreAddress
) -> None:
    for table, expected in wanted.items():
        if got[table] != expected:
            raise IntegrityError(
                f"{target}: table {table} differs from the original: got {got[table].rows} rows, "
                f"SHA-256 {got[table].sha256}; wanted {expected.rows}, {expected.sha256}; "
                "the workspace still uses the original"
            )
