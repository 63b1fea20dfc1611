"""ML Metadata's tables, row by row and alike on every database, so that stores can be compared."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.lineage.address import POSTGRESQL, SQLITE, StoreAddress
from components.records.errors import ConfigError

SCHEMA_VERSION = 10  # of ML Metadata 1.16

# Table -> the columns that order it. What a store was made with comes first.
TYPE_TABLES: Mapping[str, tuple[str, ...]] = {
    "Type": ("id",),
    "TypeProperty": ("type_id", "name"),
    "ParentType": ("type_id", "parent_type_id"),
}
DATA_TABLES: Mapping[str, tuple[str, ...]] = {
    "Artifact": ("id",),
    "ArtifactProperty": ("artifact_id", "name", "is_custom_property"),
    "Execution": ("id",),
    "ExecutionProperty": ("execution_id", "name", "is_custom_property"),
    "Context": ("id",),
    "ContextProperty": ("context_id", "name", "is_custom_property"),
    "ParentContext": ("context_id", "parent_context_id"),
    "Event": ("id",),
    "EventPath": ("event_id", "is_index_step", "step_index", "step_key"),
    "Association": ("id",),
    "Attribution": ("id",),
}
TABLES = {**TYPE_TABLES, **DATA_TABLES}
COUNTED = tuple(name for name, key in TABLES.items() if key == ("id",))  # the database gives ids

_FLAGS = {"is_custom_property", "bool_value", "is_index_step"}
_BINARY = {"byte_value", "proto_value"}
_AT_ONCE = 1000

Row = tuple[Any, ...]


@dataclass(frozen=True)
class TableContent:
    """What a table holds; `sha256`: of all rows, whatever their order."""

    rows: int
    sha256: str


def columns_of(connection: Any, table: str) -> tuple[str, ...]:
    """The columns, by name, in the order of the alphabet."""
    found = connection.exec_driver_sql(f"SELECT * FROM {table} WHERE 1 = 0")
    return tuple(sorted(found.keys()))


def schema_version(connection: Any, address: StoreAddress) -> int:
    """ML Metadata's; ConfigError where the making of its tables was interrupted."""
    version = connection.exec_driver_sql("SELECT schema_version FROM MLMDEnv").scalar()
    if version is None:
        raise ConfigError(f"{address}: its tables are not complete; a run completes them")
    return int(version)


def count(connection: Any, table: str) -> int:
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar())


def read_rows(
    connection: Any, table: str, columns: Sequence[str], *, after: int = 0
) -> Iterator[Row]:
    """Rows with every value as Python has it: flags are bool, protos are their bytes.

    Args:
      after: how many rows to leave out, in the table's order; only on SQLite, whose order of text
        is the same everywhere.
    """
    kind = connection.dialect.name
    order = f" ORDER BY {', '.join(TABLES[table])} LIMIT -1 OFFSET {int(after)}"
    sql = f"SELECT {', '.join(columns)} FROM {table}{order if kind == SQLITE else ''}"
    streaming = connection.execution_options(stream_results=True, yield_per=_AT_ONCE)
    for row in streaming.exec_driver_sql(sql):
        yield tuple(_plain(value, name, kind) for name, value in zip(columns, row))


def as_written(row: Row, columns: Sequence[str], kind: str) -> Row:
    """A row as ML Metadata itself would write it to this kind of database."""
    wrapped = () if kind == POSTGRESQL else ("proto_value",)
    return tuple(
        base64.b64encode(value) if name in wrapped and value is not None else value
        for name, value in zip(columns, row)
    )


def content(connection: Any, table: str) -> TableContent:
    """A table's content, the same for the same rows on every database.

    The rows' hashes are added up, because databases order text differently. That finds what got
    lost or changed on the way; it is no proof against somebody who can choose the rows.
    """
    rows = total = 0
    for row in read_rows(connection, table, columns_of(connection, table)):
        line = json.dumps([_spelled(value) for value in row], ensure_ascii=False)
        total += int.from_bytes(hashlib.sha256(line.encode()).digest(), "big")
        rows += 1
    return TableContent(rows, f"{total % 2**256:064x}")


def _plain(value: Any, column: str, kind: str) -> Any:
    if value is None:
        return None
    if column in _FLAGS:
        return bool(value)
    if column in _BINARY:
        raw = value.encode() if isinstance(value, str) else bytes(value)
        # PostgreSQL alone is given the bytes; the others get them in base64.
        wrapped = column == "proto_value" and kind != POSTGRESQL
        return base64.b64decode(raw) if wrapped else raw
    return value


def _spelled(value: Any) -> Any:
    """A JSON value that tells 1 from 1.0 and from true, and bytes from text."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, float):
        return {"float": value.hex()}
    return value


_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class StoreFacts:
    """Attributes:
    database: the product and its version.
    schema_version: ML Metadata's.
    bytes: as the database counts them; a file's own size for SQLite.
    rights: what this account may do, such as `read` and `write`.
    rows: by table.
    """

    database: str
    schema_version: int
    bytes: int
    rights: tuple[str, ...]
    rows: Mapping[str, int]


def store_facts(address: StoreAddress) -> StoreFacts:
    """Version, size, rows, and what this account may do, asked with SELECT alone.

    Raises:
      ConfigError: the store cannot be reached, or holds nothing of ML Metadata.
    """
    with address.opened() as engine, engine.connect() as connection:
        return StoreFacts(
            database=_product(connection),
            schema_version=schema_version(connection, address),
            bytes=_bytes(connection, address),
            rights=_rights(connection, address),
            rows={table: count(connection, table) for table in TABLES},
        )


def _product(connection: Any) -> str:
    dialect = connection.dialect
    known = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}.get(dialect.name)
    product = known or ("MariaDB" if dialect.is_mariadb else "MySQL")
    return f"{product} {'.'.join(map(str, dialect.server_version_info))}"


def _bytes(connection: Any, address: StoreAddress) -> int:
    if address.path is not None:
        return address.path.stat().st_size
    if address.kind == POSTGRESQL:
        sql = "SELECT pg_database_size(current_database())"
    else:
        sql = (
            "SELECT sum(data_length + index_length) FROM information_schema.tables "
            "WHERE table_schema = schema()"
        )
    return int(connection.exec_driver_sql(sql).scalar())


def _rights(connection: Any, address: StoreAddress) -> tuple[str, ...]:
    """Read and write as tables allow them, and whether new tables may be made."""
    if address.path is not None:
        writable = os.access(address.path, os.W_OK) and os.access(address.path.parent, os.W_OK)
        granted = {*_RIGHTS, "CREATE"} if writable else {"SELECT"}
    elif address.kind == POSTGRESQL:
        granted = {right for right in _RIGHTS if _may(connection, "table", "artifact", right)}
        granted |= {"CREATE"} if _may(connection, "schema", "public", "CREATE") else set()
    else:
        granted = _mysql_rights(connection)
    found = ["read"] if "SELECT" in granted else []
    found += ["write"] if granted.issuperset(_RIGHTS) else []
    return (*found, "make tables") if "CREATE" in granted else tuple(found)


def _may(connection: Any, what: str, name: str, right: str) -> bool:
    sql = f"SELECT has_{what}_privilege('{name}', '{right}')"
    return bool(connection.exec_driver_sql(sql).scalar())


def _mysql_rights(connection: Any) -> set[str]:
    where = "REPLACE(grantee, '''', '') = CURRENT_USER()"
    schema = "schema() LIKE table_schema"
    sql = (
        f"SELECT privilege_type FROM information_schema.user_privileges WHERE {where} UNION "
        "SELECT privilege_type FROM information_schema.schema_privileges "
        f"WHERE {where} AND {schema} UNION "
        "SELECT privilege_type FROM information_schema.table_privileges "
        f"WHERE {where} AND {schema} AND table_name = 'Artifact'"
    )
    return set(connection.exec_driver_sql(sql).scalars())
