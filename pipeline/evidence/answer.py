"""What a question about lineage comes to: facts, tables and remarks, whoever reads them.

Text, JSON, CSV and web pages are made from an answer, so each question is written once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = str | int | float | bool | None
Columns = Mapping[str, str | Callable[[Any], Value]]


@dataclass(frozen=True)
class Table:
    """Attributes:
    name: in snake case; what `--table` and JSON call it.
    links: column -> kind of thing its values name (run, release, case_set, commit, sha256, case),
      so that a page can link them.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    links: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        things: Iterable[Any],
        columns: Columns,
        links: Mapping[str, str] | None = None,
    ) -> "Table":
        """A row for each thing.

        Args:
          columns: name -> what it shows: a function of the thing, or the way to it by keys and
            attributes, such as 'body.reason'; beyond a key that is not there, or None, is None.
        """
        rows = tuple(tuple(shown_of(thing, it) for it in columns.values()) for thing in things)
        return cls(name, title, tuple(columns), rows, links or {})


def facts_of(thing: Any, columns: Columns) -> dict[str, Value]:
    """Facts on one thing, found as a table's row is."""
    return {name: shown_of(thing, way) for name, way in columns.items()}


def named(*names: str, of: str = "") -> dict[str, str]:
    """Columns that are called as what they show is; it stands in `of`, such as 'body.'."""
    return {name: f"{of}{name}" for name in names}


def shown_of(thing: Any, way: str | Callable[[Any], Value]) -> Any:
    if callable(way):
        return way(thing)
    for name in way.split("."):
        if thing is None:
            return None
        thing = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name)
    return thing


@dataclass(frozen=True)
class Answer:
    """Attributes:
    question: in a few words, such as 'what is version 12 made of'.
    facts: name -> value, in the order they are shown; a name may hold a section as
      'code: commit'. None is shown as 'not known'.
    tables: the first one is what CSV prints.
    notes: remarks, in whole sentences.
    evidence: what the answer rests on and can be checked against, such as
      'runs/.../run.json, SHA-256 ..., ledger entry 12'.
    """

    question: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        tables = {
            table.name: [dict(zip(table.columns, row)) for row in table.rows]
            for table in self.tables
        }
        lists = {"notes": list(self.notes), "evidence": list(self.evidence)}
        return {**vars(self), "facts": dict(self.facts), "tables": tables, **lists}
