"""What was sent, and what could not be: two files of JSON lines in the workspace.

A notice is noted as sent after it was sent. A process that is killed between the two sends it again
next time: at least once, never silently none. Receivers tell the repetition by its id.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import filelock

from components.notify.delivery import Delivery
from components.notify.notice import Notice
from components.records.clock import parse_time, utc_now
from components.records.files import lock_file, write_atomically
from components.records.json_lines import append_json, parse_object, read_lines, read_objects

LOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class DeadLetter:
    """A notice that a channel did not take, as often as it was tried."""

    channel: str
    notice: Notice
    reasons: tuple[str, ...]
    failed_at: str

    @property
    def name(self) -> tuple[str, str]:
        """What tells it from the others: the same notice may be dead on two channels."""
        return self.channel, self.notice.delivery


@dataclass(frozen=True)
class DeadLetters:
    """Attributes:
    unreadable: how many lines hold none; they are left where they are.
    """

    letters: tuple[DeadLetter, ...]
    unreadable: int


class NoticeJournal:
    """The two files of a folder, which need not exist yet; any number of processes may use it.

    Every method may raise OSError, or filelock.Timeout where another process does not let go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent_path = folder / "sent.jsonl"
        self.dead_path = folder / "dead-letters.jsonl"

    def note_sent(self, channel: str, notice: Notice) -> None:
        line = {
            "at": utc_now(),
            "channel": channel,
            "delivery": notice.delivery,
            "event": notice.message.kind,
            "key": notice.message.key,
            "subject": notice.message.subject,
        }
        self._append(self.sent_path, line)

    def sent(self) -> list[dict[str, Any]]:
        """What was sent, oldest first."""
        return read_objects(self.sent_path)

    def sent_within(self, channel: str, key: str, *, minutes: int, now: datetime) -> bool:
        """Whether this was sent on the channel in the last `minutes`.

        A time that lies ahead of `now` was noted before the clock was set back. It does not count:
        it could keep the notice from a person for as long as the clock was wrong.
        """
        return any(
            line.get("channel") == channel
            and line.get("key") == key
            and _is_within(line.get("at"), minutes, now)
            for line in self.sent()
        )

    def add_dead(self, delivery: Delivery, notice: Notice) -> None:
        """Keeps what could not be delivered."""
        line = {
            "channel": delivery.channel,
            "failed_at": utc_now(),
            "reasons": list(delivery.reasons),
            **notice.as_json(),
        }
        self._append(self.dead_path, line)

    def dead(self) -> DeadLetters:
        """What could not be delivered, oldest first."""
        found = [_dead_letter(line) for line in read_lines(self.dead_path)]
        letters = tuple(letter for letter in found if letter is not None)
        return DeadLetters(letters, len(found) - len(letters))

    def remove_dead(self, names: Collection[tuple[str, str]]) -> None:
        """Takes out the dead letters of these names; what others add meanwhile stays."""
        with self._locked():
            lines = read_lines(self.dead_path)
            letters = [(line, _dead_letter(line)) for line in lines]
            kept = [line for line, letter in letters if letter is None or letter.name not in names]
            write_atomically(self.dead_path, b"".join(line + b"\n" for line in kept))

    def resending(self) -> AbstractContextManager[None]:
        """Holds the dead letters for one who sends them again; WorkspaceBusy where another does."""
        busy = f"{self.folder}: dead letters are being sent by another"
        return lock_file(self.folder / ".resending.lock", lambda: busy)

    def _append(self, path: Path, tree: dict[str, Any]) -> None:
        with self._locked():
            append_json(path, tree)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.folder / ".lock", timeout=LOCK_TIMEOUT_S):
            yield


def _dead_letter(line: bytes) -> DeadLetter | None:
    tree = parse_object(line)
    try:
        if tree is None:
            return None
        notice = Notice.from_json(tree)
        reasons = tuple(str(reason) for reason in tree["reasons"])
        return DeadLetter(str(tree["channel"]), notice, reasons, str(tree["failed_at"]))
    except (KeyError, TypeError, ValueError):
        return None


def _is_within(at: object, minutes: int, now: datetime) -> bool:
    try:
        sent = parse_time(str(at))
        return timedelta(0) <= now - sent < timedelta(minutes=minutes)
    except (ValueError, TypeError):
        return False
