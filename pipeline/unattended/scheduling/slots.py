"""Which time of the schedule is due, and who may run it: each once, whatever the clock does.

`schedule/state.json` in the workspace holds the slots that were claimed. A slot is claimed under a
lock that is held until its run ended, so that of any number of schedulers one runs it. What was
missed, because nothing ran or a run lasted longer than to the next slot, is made up for once: only
the newest slot that is over counts.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import filelock

from components.records.errors import ConfigError, WorkspaceBusy
from components.records.files import write_atomically
from pipeline.settings.workspace import Workspace
from pipeline.unattended.scheduling.cron import Cron

# Where nothing is known yet, a slot that began this short a while ago is due: whoever starts a
# scheduler at the very time of a slot expects it to run.
JUST_NOW = timedelta(minutes=5)
# What is noted for a time further ahead than this was noted while the clock was wrong. Nearer times
# are believed, so that a clock that is set back a little runs nothing that is past.
BELIEVED_AHEAD = timedelta(days=1)
TRIES = 2  # of a slot whose run was cut off: by a reboot perhaps, or it may itself be the reason
KEPT = 100  # claimed slots


@dataclass(frozen=True)
class State:
    """Attributes:
    since: no slot up to this time is due.
    claimed: the last slots that were, in the order of their claims.
    tries: how often the last of them was started and cut off; 0 where its run came to an end.
    """

    since: datetime
    claimed: tuple[datetime, ...] = ()
    tries: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "claimed": [slot.isoformat() for slot in self.claimed],
            "tries": self.tries,
        }

    def with_claim(self, slot: datetime) -> "State":
        """The state while this slot runs."""
        again = self.claimed[-1:] == (slot,)
        claimed = self.claimed if again else (*self.claimed, slot)[-KEPT:]
        return State(self.since, claimed, self.tries + 1 if again else 1)

    def is_due(self, slot: datetime, now: datetime) -> bool:
        """Whether this slot, the newest that is over, is to run."""
        if slot <= self.since:
            return False
        if slot in self.claimed:
            return slot == self.claimed[-1] and 0 < self.tries < TRIES
        # The clock was set back to before a slot that ran: those before it are past, unless it was
        # the other setting that was wrong.
        return not any(slot < each <= now + BELIEVED_AHEAD for each in self.claimed)


class Slots:
    """The schedule of one workspace."""

    def __init__(self, workspace: Workspace, cron: Cron) -> None:
        self.cron = cron
        self.folder = workspace.root / "schedule"
        self.path = self.folder / "state.json"

    def begin(self, now: datetime) -> None:
        """Has slots count from now on, where none did before.

        Raises:
          ConfigError: the workspace cannot be written.
        """
        with self._lock() as mine:
            if mine and self.state() is None:
                self._write(State(since=now))

    @contextmanager
    def claimed(self, now: datetime) -> Iterator[datetime | None]:
        """The slot to run inside the block, if one is due and nobody else runs one.

        Its run counts as ended when the block ends, by an error too; not where it was interrupted
        or the workspace was busy: then the slot is due again.

        Raises:
          ConfigError: the workspace cannot be written.
        """
        with self._lock() as mine:
            state = self._current(now) if mine else None
            slot = self.cron.until(now)
            if state is None or not state.is_due(slot, now):
                yield None
                return
            claim = state.with_claim(slot)
            self._write(claim)
            try:
                yield slot
            except WorkspaceBusy:
                self._write(state)
                raise
            except Exception:
                self._write(replace(claim, tries=0))
                raise
            self._write(replace(claim, tries=0))

    def state(self) -> State | None:
        """What is on disk; None where nothing is, or nothing that can be read."""
        try:
            tree = json.loads(self.path.read_text(encoding="utf-8"))
            claimed = tuple(_moment(slot) for slot in tree["claimed"])
            return State(_moment(tree["since"]), claimed, int(tree["tries"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _current(self, now: datetime) -> State:
        """The state on disk, or a new one where there is none that can be true."""
        state = self.state()
        if state is None:
            state = State(since=now - JUST_NOW)
        elif state.since > now + BELIEVED_AHEAD:
            state = replace(state, since=now)
        else:
            return state
        self._write(state)
        return state

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        lock = filelock.FileLock(self.folder / ".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except filelock.Timeout:
            yield False
            return
        except OSError as error:
            raise ConfigError(f"{self.folder}: cannot be written: {error.strerror}") from None
        try:
            yield True
        finally:
            lock.release()

    def _write(self, state: State) -> None:
        try:
            write_atomically(self.path, json.dumps(state.as_json(), indent=2).encode() + b"\n")
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
