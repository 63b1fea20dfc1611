"""ML Metadata's tables, row by row and alike on every database, so that stores can be compared."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.lineage.address import POSTGRESQL, SQLITE

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
    """What a table holds.

    Attributes:
      sha256: of all rows, whatever their order.
    """

    rows: int
    sha256: str


def columns_of(connection: Any, table: str) -> tuple[str, ...]:
    """The columns, by name, in the order of the alphabet."""
    found = connection.exec_driver_sql(f"SELECT * FROM {table} WHERE 1 = 0")
    return tuple(sorted(found.keys()))


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
    if kind == POSTGRESQL:
        return row
    place = columns.index("proto_value") if "proto_value" in columns else None
    if place is None or row[place] is None:
        return row
    return (*row[:place], base64.b64encode(row[place]), *row[place + 1 :])


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
