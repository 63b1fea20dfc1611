"""`feedback.jsonl`: every opinion that was given, in order, and whether any was altered since.

A chain as the ledger is (components/records/ledger/ledger.py says what such a chain proves and what
not), with the ledger's own head file beside it. Two things differ. An append looks at all that is
there, since it has to know whether a request was seen before and how often this reader spoke of
this case; what was verified once is kept while the file stays the same. And opinions may be
withdrawn by newer ones of the same reader, so nothing is ever changed in place.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import eq
from pathlib import Path

import filelock

from components.feedback.opinion import (
    Opinion,
    OpinionDraft,
    fault_in,
    line_of,
    new_opinion,
    parse_line,
)
from components.records.clock import time_id
from components.records.errors import ConfigError, IntegrityError, UsageError, WorkspaceBusy
from components.records.files import sync, write_atomically
from components.records.ledger.entry import FIRST_PREVIOUS
from components.records.ledger.head import Head, check_head, read_head

READS = 100  # of a file that others append to meanwhile, until two looks at the head agree
Samely = Callable[[str, str], bool]


class Replayed(UsageError):
    """A request that was recorded already; nothing was recorded again."""


@dataclass(frozen=True)
class RecordedOpinions:
    """What the file holds, verified.

    Attributes:
      head: as the head file says; one entry behind after a crash.
      torn: bytes that an interrupted append left, never acknowledged.
    """

    opinions: tuple[Opinion, ...]
    head: Head
    torn: bytes

    @property
    def last(self) -> Head:
        return Head.of(self.opinions)  # type: ignore[arg-type]  # reads seq and entry_sha256 alone


class Record:
    """The record in `path`, which need not exist yet; any number of processes may use it."""

    def __init__(self, path: Path, *, timeout_s: float = 60.0) -> None:
        self.path = path
        self.head_path = path.with_suffix(".head")
        self._lock_path = path.with_suffix(".lock")
        self._timeout_s = timeout_s
        self._seen: tuple[object, RecordedOpinions] | None = None

    def opinions(self) -> tuple[Opinion, ...]:
        """Every opinion, oldest first, verified.

        Raises:
          IntegrityError: names the first entry that does not fit.
        """
        return self.content().opinions

    def content(self) -> RecordedOpinions:
        """As `opinions`, and what a crash left behind."""
        for _ in range(READS):
            head, state = read_head(self.head_path), _state(self.path)
            if self._seen is not None and self._seen[0] == (head, state):
                return self._seen[1]
            lines = self._lines()
            if (read_head(self.head_path), _state(self.path)) == (head, state):
                break
        content = self._verified(lines, head)
        self._seen = ((head, state), content)
        return content

    def append(self, draft: OpinionDraft, *, same_reader: Samely = eq) -> Opinion:
        """Adds an opinion; it is on disk, and named by the head, when this returns.

        Args:
          same_reader: whether two names are one reader's; the spelling of the first is kept.

        Raises:
          Replayed: this reader sent this nonce before.
          IntegrityError: the record was altered; nothing is added.
          ConfigError: the opinion breaks its contract, or the record cannot be written.
          WorkspaceBusy: another process holds the record for too long.
        """
        with self._locked():
            content = self._mended()
            known = {one.by: None for one in content.opinions}
            by = next((name for name in known if same_reader(name, draft.by)), draft.by)
            of_reader = [one for one in content.opinions if one.by == by]
            if draft.nonce is not None and any(one.nonce == draft.nonce for one in of_reader):
                raise Replayed("this nonce was used already; nothing was recorded again")
            opinion = new_opinion(
                replace(draft, by=by),
                seq=content.last.seq + 1,
                version=1 + sum(one.case_id == draft.case_id for one in of_reader),
                previous=content.last.sha256,
            )
            self._write(line_of(opinion) + b"\n")
            self._name(content, opinion)
        return opinion

    def _lines(self) -> list[bytes]:
        try:
            return self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return [b""]
        except OSError as error:
            raise IntegrityError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _verified(self, lines: list[bytes], head: Head) -> RecordedOpinions:
        opinions: list[Opinion] = []
        previous = FIRST_PREVIOUS
        for number, line in enumerate(lines[:-1], start=1):
            opinion = parse_line(line)
            fault = fault_in(opinion, line)
            if (
                opinion is not None
                and not fault
                and (opinion.seq, opinion.previous)
                != (
                    number,
                    previous,
                )
            ):
                fault = f"it is number {opinion.seq} after {opinion.previous[:12]}..."
            if fault or opinion is None:
                raise IntegrityError(
                    f"{self.path}:{number}: entry {number} does not fit: {fault}; compare with a "
                    "copy that is older: everything from this entry on is in doubt"
                )
            opinions.append(opinion)
            previous = opinion.entry_sha256
        found = tuple(opinions)
        check_head(head, found, path=self.path, head_path=self.head_path)  # type: ignore[arg-type]
        return RecordedOpinions(found, head, lines[-1])

    def _mended(self) -> RecordedOpinions:
        """The content, after mending what an interrupted append left."""
        content = self.content()
        if content.torn:
            write_atomically(self.path.with_suffix(f".torn-{time_id()}"), content.torn)
            os.truncate(self.path, self.path.stat().st_size - len(content.torn))
            sync(self.path)
        if content.head != content.last:
            # First, or two crashes in a row would leave it two entries behind.
            write_atomically(self.head_path, content.last.to_bytes())
        return content

    def _write(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(descriptor, line) < len(line):
                raise ConfigError(f"{self.path}: the disk is full; make room and try again")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _name(self, before: RecordedOpinions, opinion: Opinion) -> None:
        """Names the new end in the head file, and keeps in memory what is now there."""
        head = Head(opinion.seq, opinion.entry_sha256)
        write_atomically(self.head_path, head.to_bytes())
        content = RecordedOpinions((*before.opinions, opinion), head, b"")
        self._seen = ((head, _state(self.path)), content)

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
                "wait for it to end and try again"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot be written: {error.strerror}; nothing was recorded: mend "
                "that and try again"
            ) from error


def _state(path: Path) -> object:
    """What changes whenever the file does; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
