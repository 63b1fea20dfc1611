"""What a question about lineage comes to: facts, tables and remarks, whoever reads them.

Text, JSON, CSV and web pages are made from an answer, so each question is written once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """Attributes:
    name: in snake case; what `--table` and JSON call it.
    title: for people.
    links: column -> kind of thing its values name (run, release, case_set, commit, sha256, case),
      so that a page can link them.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    links: Mapping[str, str] = field(default_factory=dict)


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
    exit_code: as the command ends with.
    """

    question: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "facts": dict(self.facts),
            "tables": {
                table.name: [dict(zip(table.columns, row)) for row in table.rows]
                for table in self.tables
            },
            "notes": list(self.notes),
            "evidence": list(self.evidence),
            "exit_code": self.exit_code,
        }
