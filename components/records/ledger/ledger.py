"""`ledger.jsonl`: what was decided and done, in order, and whether anybody altered it since."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from components.records.chain import (
    PATIENCE_S,
    ChainContent,
    HashChain,
    Head,
    fault_in_line,
    seal,
    spell_fast,
)
from components.records.errors import ConfigError
from components.records.files import canonical_json
from components.records.ledger import KINDS

_KEYS = {"seq", "at", "kind", "by", "body", "previous", "entry_sha256"}


@dataclass(frozen=True)
class Entry:
    """Attributes:
    seq: counts from 1.
    at: ISO 8601 in UTC.
    by: a person's name, or casegate.
    body: as schemas/ledger_entry.json says for this kind.
    previous: hash of the entry before, `FIRST_PREVIOUS` for the first.
    entry_sha256: hash of this one.
    """

    seq: int
    at: str
    kind: str
    by: str
    body: Mapping[str, Any]
    previous: str
    entry_sha256: str


def new_entry(
    kind: str, body: Mapping[str, Any], *, by: str, at: str, seq: int, previous: str
) -> Entry:
    """An entry that keeps its contract and reads back as it is.

    Raises:
      ConfigError: against schemas/ledger_entry.json, or text that UTF-8 has no bytes for.
    """
    rest = {"seq": seq, "at": at, "kind": kind, "by": by, "previous": previous, "body": dict(body)}
    entry = Entry(**seal(rest, schema="ledger_entry", what=f"ledger entry '{kind}'"))
    if fault := fault_in(parse_line(line_of(entry)), line_of(entry)):
        raise ConfigError(f"ledger entry '{kind}': would not read back: {fault}")
    return entry


def line_of(entry: Entry) -> bytes:
    """The entry's line, without the line feed that completes it."""
    return canonical_json({**vars(entry), "body": dict(entry.body)})


def parse_line(line: bytes) -> Entry | None:
    """The entry a line spells, unchecked but for the types of its keys; None where it is none."""
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(read, dict) or read.keys() != _KEYS:
        return None
    texts = all(isinstance(read[key], str) for key in _KEYS - {"seq", "body"})
    if not texts or type(read["seq"]) is not int or not isinstance(read["body"], dict):
        return None
    return Entry(**read)


def fault_in(entry: Entry | None, line: bytes) -> str | None:
    """What is wrong with an entry on its own, as it stands in `line`; None where nothing is."""
    if entry is None:
        return "it is not an entry in JSON"
    if entry.kind not in KINDS:
        return f"its kind is {entry.kind[:20]!r}"
    return fault_in_line(vars(entry), line, spell_fast)  # the contract has no fractions


class Ledger:
    """The ledger in `path`, which need not exist yet; any number of processes may use it."""

    def __init__(self, path: Path, *, timeout_s: float = PATIENCE_S) -> None:
        self.path = path
        self.chain = HashChain(
            path, parse=parse_line, spell=line_of, fault_in=fault_in, timeout_s=timeout_s
        )

    def entries(self) -> tuple[Entry, ...]:
        """Every entry, oldest first, verified.

        Raises:
          IntegrityError: names the first entry that does not fit.
        """
        return self.chain.read().entries

    def verify(self) -> ChainContent[Entry]:
        """As `entries`, and says where the ledger ends and what a crash left behind."""
        return self.chain.read()

    def head(self) -> Head:
        """Number and hash of the last entry, verified back to the first."""
        return self.verify().last

    def append(self, kind: str, body: Mapping[str, Any], *, by: str, at: str) -> Entry:
        """Adds an entry; it is on disk, and named by the head, when this returns.

        Args:
          kind, body: as schemas/ledger_entry.json says.
          by: a person's name, or casegate.
          at: ISO 8601 in UTC, such as 2025-03-31T12:00:00Z.

        Raises:
          IntegrityError: the end of the ledger does not fit; nothing is added.
          ConfigError: the entry breaks its contract, or the ledger cannot be written.
          WorkspaceBusy: another process holds the ledger for too long.
        """
        with self.chain.locked():
            last = self.chain.end()
            entry = new_entry(kind, body, by=by, at=at, seq=last.seq + 1, previous=last.sha256)
            self.chain.add(entry)
        return entry
