"""`ledger.jsonl`: what was decided and done, in order, and whether anybody altered it since.

Each entry holds the hash of the one before, so that none can be edited, removed, added or moved
without every later one failing to fit. What such a chain proves is that the entries before a known
hash are those that were there when the hash was taken. It cannot prove more: whoever may write the
file may recompute the chain from any entry on, and a chain whose last entries are cut off is a
chain. `ledger.head` beside it says how far the chain went, which finds a cut and a rewritten tail,
but not by someone who rewrites both. Against that, the head's hash has to be kept where the writer
of the ledger cannot reach: in a signed commit, a ticket, the report that was sent.

A line counts once its line feed is on disk, and `append` returns only after that. What a killed
process or a full disk left of a line was never acknowledged; it is kept in a file of its own.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from components.records.clock import time_id
from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.files import sync, write_atomically
from components.records.ledger.entry import (
    FIRST_PREVIOUS,
    Entry,
    fault_in,
    line_of,
    new_entry,
    parse_line,
)
from components.records.ledger.head import Head, check_head, read_head

READS = 100  # of a file that others append to meanwhile, until two looks at the head agree


@dataclass(frozen=True)
class LedgerSummary:
    """What `Ledger.verify` found, where all is well.

    Attributes:
      head: the last entry.
      recorded: whether `ledger.head` names it; not after a crash, until the next append.
      torn_bytes: what an interrupted append left after it, never acknowledged.
    """

    entries: int
    head: Head
    recorded: bool
    torn_bytes: int


class Ledger:
    """The ledger in `path`, which need not exist yet; any number of processes may use it."""

    def __init__(self, path: Path, *, timeout_s: float = 60.0) -> None:
        self.path = path
        self.head_path = path.with_suffix(".head")
        self._lock_path = path.with_suffix(".lock")
        self._timeout_s = timeout_s

    def entries(self) -> tuple[Entry, ...]:
        """Every entry, oldest first, verified.

        Raises:
          IntegrityError: names the first entry that does not fit.
        """
        return self._read()[0]

    def verify(self) -> LedgerSummary:
        """As `entries`, and says what there is."""
        entries, head, torn = self._read()
        last = Head.of(entries)
        return LedgerSummary(len(entries), last, head == last, len(torn))

    def head(self) -> Head:
        """Number and hash of the last entry, verified back to the first."""
        return Head.of(self.entries())

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
        with self._locked():
            last = self._end()
            entry = new_entry(kind, body, by=by, at=at, seq=last.seq + 1, previous=last.sha256)
            self._write(line_of(entry) + b"\n")
            self._record(Head(entry.seq, entry.entry_sha256))
        return entry

    def _read(self) -> tuple[tuple[Entry, ...], Head, bytes]:
        """The verified entries, the recorded head, and what is torn after the last line feed."""
        for _ in range(READS):
            head = read_head(self.head_path)
            content = self._content()
            if read_head(self.head_path) == head:
                break
        *lines, torn = content.split(b"\n")
        entries: list[Entry] = []
        for number, line in enumerate(lines, start=1):
            entry = parse_line(line)
            before = entries[-1].entry_sha256 if entries else FIRST_PREVIOUS
            fault = fault_in(entry, line) or _misplaced(entry, number, before)
            if fault or entry is None:
                raise IntegrityError(
                    f"{self.path}:{number}: entry {number} does not fit: {fault}; compare with a "
                    "copy that is older: everything from this entry on is in doubt"
                )
            entries.append(entry)
        check_head(head, tuple(entries), path=self.path, head_path=self.head_path)
        return tuple(entries), head, torn

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise IntegrityError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _end(self) -> Head:
        """The last entry, after mending what an interrupted append left behind it.

        Reads the end of the file alone, so that appending stays as fast as on the first day.
        """
        if not self.path.exists():
            self._read()  # refuses where the head knows of entries
            return Head(0, FIRST_PREVIOUS)
        line, end, torn = _last_line(self.path)
        entry = parse_line(line) if end else None
        last = Head(entry.seq, entry.entry_sha256) if entry else Head(0, FIRST_PREVIOUS)
        before = Head(entry.seq - 1, entry.previous) if entry else last
        sound = not end or fault_in(entry, line) is None
        recorded = read_head(self.head_path)
        if not sound or recorded not in (last, before):
            self._read()  # names what is wrong
            raise IntegrityError(f"{self.path}: its last entry does not fit {self.head_path.name}")
        if torn:
            write_atomically(self.path.with_suffix(f".torn-{time_id()}"), torn)
            os.truncate(self.path, end)
            sync(self.path)
        if recorded != last:
            self._record(last)  # first, or two crashes in a row would leave it two entries behind
        return last

    def _write(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(descriptor, line) < len(line):
                raise ConfigError(f"{self.path}: the disk is full; make room and run again")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _record(self, head: Head) -> None:
        # Writes the folder's names to disk too, the new ledger's among them.
        write_atomically(self.head_path, head.to_bytes())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; the lock goes with the process, even if killed."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self._lock_path, timeout=self._timeout_s):
                yield
        except filelock.Timeout:
            raise WorkspaceBusy(
                f"{self.path}: another process has been writing for {self._timeout_s:.0f} s; "
                "wait for it to end and run again"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot be written: {error.strerror}; nothing was recorded: mend "
                "that and run again"
            ) from error


def _misplaced(entry: Entry | None, number: int, before: str) -> str | None:
    """What is wrong with where a sound entry stands; None where nothing is."""
    if entry is None or (entry.seq == number and entry.previous == before):
        return None
    if entry.seq != number:
        return f"it is numbered {entry.seq}: entries were removed, added or moved"
    return (
        f"it follows an entry with hash {entry.previous[:12]}..., the one before it has "
        f"{before[:12]}...: that one was replaced"
    )


def _last_line(path: Path) -> tuple[bytes, int, bytes]:
    """The last complete line without its line feed, where it ends, and what follows it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        window = 1 << 14
        while True:
            start = max(0, size - window)
            file.seek(start)
            content = file.read(size - start)
            end = content.rfind(b"\n") + 1
            begin = content.rfind(b"\n", 0, max(0, end - 1)) + 1
            if begin or not start:
                return content[begin : max(0, end - 1)], start + end if end else 0, content[end:]
            window *= 4
