"""A file of entries of which each holds the hash of the one before, and how far it went.

So none can be edited, removed, added or moved without every later one failing to fit. What such a
chain proves is that the entries before a known hash are those that were there when the hash was
taken. It cannot prove more: whoever may write the file may recompute the chain from any entry on,
and a chain whose last entries are cut off is a chain. The head file beside it says how far the
chain went, which finds a cut and a rewritten tail, but not by someone who rewrites both. Against
that, the head's hash has to be kept where the writer of the chain cannot reach: in a signed commit,
a ticket, the report that was sent.

A line counts once its line feed is on disk, and an append returns only after that. What a killed
process or a full disk left of a line was never acknowledged; it is kept in a file of its own.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import orjson

from components.records.clock import time_id
from components.records.errors import ConfigError, IntegrityError
from components.records.files import (
    canonical_json,
    lock_file,
    sha256_json,
    sync,
    write_atomically,
    writing_to,
)
from components.records.json_lines import append_line
from components.records.schema import check_document

FIRST_PREVIOUS = "0" * 64
PATIENCE_S = 60.0  # how long a chain that another process writes to is waited for
READS = 100  # of a file that others append to meanwhile, until two looks at it agree


class ChainEntry(Protocol):
    """What a chain knows of an entry: its number, from 1, and the hashes of it and the one before.

    The hash is over the canonical JSON of all its other keys, and its line is the canonical JSON of
    the whole: so no byte of a line can change without its hash, its spelling or the hash in the
    next line saying so.
    """

    @property
    def seq(self) -> int: ...
    @property
    def previous(self) -> str: ...
    @property
    def entry_sha256(self) -> str: ...


T = TypeVar("T", bound=ChainEntry)


def seal(rest: dict[str, Any], *, schema: str, what: str) -> dict[str, Any]:
    """An entry's keys with their hash, as its contract wants them.

    Raises:
      ConfigError: against schemas/<schema>.json, or text that UTF-8 has no bytes for.
    """
    try:
        document = {**rest, "entry_sha256": sha256_json(rest)}
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: cannot be written as JSON: {error}") from None
    check_document(document, schema, locate=lambda path: what, error=ConfigError)
    return document


def spell_fast(document: Any) -> bytes:
    """As `canonical_json` spells it, but for a few fractions such as 1e-07; empty where it fails.

    It fails on what is nested deeper than anything that was written here.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return b""


def fault_in_line(
    document: dict[str, Any], line: bytes, *spellings: Callable[[Any], bytes]
) -> str | None:
    """What is wrong with an entry on its own, as it stands in `line`; None where nothing is.

    Args:
      spellings: those of canonical JSON, of which one has to give the line.
    """
    rest = {key: value for key, value in document.items() if key != "entry_sha256"}
    for spell in spellings:
        if spell(document) == line:
            got, stated = hashlib.sha256(spell(rest)).hexdigest(), document["entry_sha256"]
            if got == stated:
                return None
            return f"its content hashes to {got[:12]}..., it says {stated[:12]}..."
    return "it is not spelled in canonical JSON"


@dataclass(frozen=True)
class Head:
    """Number and hash of the last entry; 0 and `FIRST_PREVIOUS` where there is none."""

    seq: int
    sha256: str

    @classmethod
    def of(cls, entries: Sequence[ChainEntry]) -> "Head":
        if not entries:
            return cls(0, FIRST_PREVIOUS)
        return cls(entries[-1].seq, entries[-1].entry_sha256)

    def to_bytes(self) -> bytes:
        return canonical_json({"seq": self.seq, "entry_sha256": self.sha256}) + b"\n"


def read_head(path: Path) -> Head:
    """The recorded head, which may be one entry behind after a crash and is never ahead.

    Returns:
      That of an empty chain where there is no file.

    Raises:
      IntegrityError: the file is not one that an append wrote.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Head(0, FIRST_PREVIOUS)
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        read = orjson.loads(content)
        head = Head(read["seq"], read["entry_sha256"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        head = None
    if head is None or head.to_bytes() != content:
        raise IntegrityError(
            f"{path}: got something else than the number and hash of the last entry: it was "
            "altered; compare with a copy that is older"
        )
    return head


@dataclass(frozen=True)
class ChainContent(Generic[T]):
    """What the file holds, verified.

    Attributes:
      head: as the head file says; one entry behind after a crash, until the next append.
      torn: bytes that an interrupted append left, never acknowledged.
      state: what changes whenever one of the two files does.
    """

    entries: tuple[T, ...]
    head: Head
    torn: bytes
    state: object

    @property
    def last(self) -> Head:
        return Head.of(self.entries)

    @property
    def recorded(self) -> bool:
        """Whether the head file names the last entry."""
        return self.head == self.last


class HashChain(Generic[T]):
    """The chain in `path`, which need not exist yet; any number of processes may use it."""

    def __init__(
        self,
        path: Path,
        *,
        parse: Callable[[bytes], T | None],
        spell: Callable[[T], bytes],
        fault_in: Callable[[T | None, bytes], str | None],
        timeout_s: float,
    ) -> None:
        """Args:
        parse: the entry that a line spells, None where it is none.
        spell: an entry's line, without its line feed.
        fault_in: what is wrong with an entry on its own, as it stands in a line.
        """
        self.path = path
        self.head_path = path.with_suffix(".head")
        self._parse, self._spell, self._fault_in = parse, spell, fault_in
        self._timeout_s = timeout_s

    def read(self) -> ChainContent[T]:
        """The entries, oldest first, verified.

        Raises:
          IntegrityError: names the first entry that does not fit.
        """
        for _ in range(READS):
            state, head, content = self.state(), read_head(self.head_path), self._bytes()
            if self.state() == state:
                break
        *lines, torn = content.split(b"\n")
        entries: list[T] = []
        before = FIRST_PREVIOUS
        for number, line in enumerate(lines, start=1):
            entry = self._parse(line)
            fault = self._fault_in(entry, line) or _misplaced(entry, number, before)
            if fault or entry is None:
                raise IntegrityError(
                    f"{self.path}:{number}: entry {number} does not fit: {fault}; compare with a "
                    "copy that is older: everything from this entry on is in doubt"
                )
            entries.append(entry)
            before = entry.entry_sha256
        self._check_head(head, entries)
        return ChainContent(tuple(entries), head, torn, state)

    def state(self) -> object:
        """What changes whenever the file or its head file does."""
        return _state(self.path), _state(self.head_path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time; the lock goes with the process, even if killed.

        Raises:
          WorkspaceBusy: another process holds it for too long.
          ConfigError: for an OSError of the block.
        """
        busy = (
            f"{self.path}: another process has been writing for {self._timeout_s:.0f} s; wait for "
            "it to end and try again"
        )
        with (
            writing_to(self.path, "; nothing was recorded: mend that and try again"),
            lock_file(self.path.with_suffix(".lock"), lambda: busy, wait_s=self._timeout_s),
        ):
            yield

    def end(self) -> Head:
        """The last entry, after mending what an interrupted append left; for who holds the lock.

        Reads the end of the file alone, so that appending stays as fast as on the first day.

        Raises:
          IntegrityError: the end does not fit.
        """
        if not self.path.exists():
            return self.read().last  # refuses where the head knows of entries
        line, end, torn = _last_line(self.path)
        entry = self._parse(line)
        last = Head(entry.seq, entry.entry_sha256) if entry else Head(0, FIRST_PREVIOUS)
        before = Head(entry.seq - 1, entry.previous) if entry else last
        sound = not end or self._fault_in(entry, line) is None
        recorded = read_head(self.head_path)
        if not sound or recorded not in (last, before):
            self.read()  # names what is wrong
            raise IntegrityError(f"{self.path}: its last entry does not fit {self.head_path.name}")
        if torn:
            write_atomically(self.path.with_suffix(f".torn-{time_id()}"), torn)
            os.truncate(self.path, end)
            sync(self.path)
        if recorded != last:
            self._record(last)  # first, or two crashes in a row would leave it two entries behind
        return last

    def add(self, entry: T) -> None:
        """Adds what follows `end`; it is on disk, and named by the head, when this returns."""
        append_line(self.path, self._spell(entry))
        self._record(Head.of([entry]))

    def _record(self, head: Head) -> None:
        write_atomically(self.head_path, head.to_bytes())

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise IntegrityError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _check_head(self, head: Head, entries: Sequence[T]) -> None:
        """Raises IntegrityError where `entries`, a sound chain, is not the one the head names."""
        name, count = self.head_path.name, len(entries)
        if head.seq > count:
            raise IntegrityError(
                f"{self.path}: entry {count + 1} is missing: {name} knows of {head.seq} entries, "
                f"the file ends after {count}; restore the end from a copy"
            )
        # One entry more than recorded is what a crash between the two writes leaves.
        if head.seq < count - 1:
            raise IntegrityError(
                f"{self.path}:{head.seq + 2}: entry {head.seq + 2} does not fit: {name} knows of "
                f"{head.seq} entries only; the head was removed or replaced, or entries were added "
                "by hand: compare with a copy that is older"
            )
        if head != Head.of(entries[: head.seq]):
            raise IntegrityError(
                f"{self.path}:{head.seq}: entry {head.seq} does not fit: it is not the one that "
                f"{name} names; the file was rewritten: compare with a copy that is older"
            )


def _misplaced(entry: ChainEntry | None, number: int, before: str) -> str | None:
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
    if not path.stat().st_size:
        return b"", 0, b""  # which cannot be mapped
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        end = content.rfind(b"\n") + 1
        if not end:
            return b"", 0, content[:]
        begin = content.rfind(b"\n", 0, end - 1) + 1
        return content[begin : end - 1], end, content[end:]


def _state(path: Path) -> object:
    """What changes whenever the file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
