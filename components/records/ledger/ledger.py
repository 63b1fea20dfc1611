"""`ledger.jsonl`: what was decided and done, in order, and whether anybody altered it since."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.records.chain import ChainContent, HashChain, Head
from components.records.ledger.entry import Entry, fault_in, line_of, new_entry, parse_line


class Ledger:
    """The ledger in `path`, which need not exist yet; any number of processes may use it."""

    def __init__(self, path: Path, *, timeout_s: float = 60.0) -> None:
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
