"""A question that nobody thought of, as SQL over the documented views: read-only, one statement.

The database refuses to write whatever the query says: SQLite is opened read-only, the session on a
server is read-only, and the account needs no right but SELECT. What is checked here is only for the
sake of a sentence that a person understands.
"""

import math
import re
from typing import Any

from components.lineage.views import VIEWS
from components.records.errors import ConfigError, suggestion
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.subject import Evidence

# Comments and quoted text, in which no word or semicolon counts.
_QUIET = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`", re.DOTALL)
_FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)")
_INTO = re.compile(r"\binto\b", re.IGNORECASE)


def sql(evidence: Evidence, query: str, *, limit: int) -> Answer:
    """What a SELECT gives.

    Args:
      limit: rows at most; the answer says where there were more.

    Raises:
      ConfigError: not one SELECT, or the database does not take it.
    """
    refuse_unless_select(query)
    found = evidence.store.select(query, limit=limit)
    rows = tuple(tuple(_value(value) for value in row) for row in found.rows)
    more = f"There are more rows than the {limit:,} shown here; --limit gives more."
    return Answer(
        question="what does the query give",
        facts={"rows": len(rows), "cut": found.cut},
        tables=(Table("rows", "Rows", _distinct(found.columns), rows),),
        notes=(more,) if found.cut else (),
        evidence=(
            f"{evidence.workspace.store}: ML Metadata as it is now, not held against the "
            "ledger; see `casegate lineage verify --all`",
        ),
    )


def views(evidence: Evidence) -> Answer:
    """The views that a query may name, with their columns."""
    rows = []
    for name, (what, _) in VIEWS.items():
        columns = evidence.store.select(f"SELECT * FROM {name} WHERE 1 = 0", limit=1).columns  # noqa: S608
        rows += [(name, column, what if column == columns[0] else None) for column in columns]
    return Answer(
        question="what views are there",
        facts={"views": len(VIEWS)},
        tables=(
            Table("views", "Views and their columns", ("view", "column", "what"), tuple(rows)),
        ),
        notes=("ML Metadata's own tables can be named too: Artifact, Execution, Event, Context.",),
    )


def refuse_unless_select(query: str) -> None:
    """Raises ConfigError unless the query is one SELECT, by its words."""
    # Nothing for a comment, an empty text for one in quotes.
    words = _QUIET.sub(lambda it: " " if it[0].startswith(("--", "/*")) else " '' ", query)
    words = words.strip().rstrip("; \t\r\n")
    if not words:
        raise ConfigError(
            'the query is empty; try "SELECT state, count(*) FROM runs GROUP BY state"'
        )
    if ";" in words:
        raise ConfigError("the query holds several statements, wanted one: ask them one by one")
    found = _FIRST_WORD.match(words)
    first = found.group(1) if found else words[:20]
    if first.lower() not in ("select", "with"):
        raise ConfigError(
            f"the query begins with {first!r}, wanted SELECT or WITH: the store is only read"
            f"{suggestion(first.lower(), ['select', 'with'])}"
        )
    if _INTO.search(words):
        raise ConfigError("the query has INTO, which would write; the store is only read")


def _distinct(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Each name once, so that none hides another in JSON."""
    names: list[str] = []
    for column in columns:
        numbered = (column, *(f"{column}_{number}" for number in range(2, len(columns) + 1)))
        names.append(next(name for name in numbered if name not in names))
    return tuple(names)


def _value(value: Any) -> Value:
    """A value as an answer holds it: bytes in hex, and as text what JSON has no word for."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)
