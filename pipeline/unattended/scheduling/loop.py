"""Keeps the schedule in the foreground, for containers, and looks once for whoever asks often.

`schedule/state.json` in the workspace holds the slots that were claimed. A slot is claimed under a
lock that is held until its run ended, so that of any number of schedulers one runs it. What was
missed, because nothing ran or a run lasted longer than to the next slot, is made up for once: only
the newest slot that is over counts.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from components.records.clock import current_time, parse_time
from components.records.errors import CasegateError, WorkspaceBusy
from components.records.files import lock_file, write_atomically, writing_to
from components.records.text import kind_and_words
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
STEP_S = 1.0  # of sleep: what a changed clock, a suspended machine or a signal waits for at most
LOOK_S = 60.0  # between two looks at what other schedulers did
INTERRUPTED = 130  # as shells have it


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
            state, slot = self._current(now) if mine else None, self.cron.until(now)
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
            claimed = tuple(parse_time(slot) for slot in tree["claimed"])
            return State(parse_time(tree["since"]), claimed, int(tree["tries"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _current(self, now: datetime) -> State:
        """The state on disk, or a new one where there is none that can be true."""
        known = self.state()
        state = known or State(since=now - JUST_NOW)
        if state.since > now + BELIEVED_AHEAD:
            state = replace(state, since=now)
        if state is not known:
            self._write(state)
        return state

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        with ExitStack() as stack:
            try:
                with writing_to(self.folder):
                    stack.enter_context(lock_file(self.folder / ".lock", str))
                mine = True
            except WorkspaceBusy:
                mine = False
            yield mine

    def _write(self, state: State) -> None:
        tree = {
            "since": state.since.isoformat(),
            "claimed": [slot.isoformat() for slot in state.claimed],
            "tries": state.tries,
        }
        with writing_to(self.path):
            write_atomically(self.path, json.dumps(tree, indent=2).encode() + b"\n")


class _CutOff(KeyboardInterrupt):
    """A run was interrupted, and not the wait for one."""


@dataclass(frozen=True)
class Loop:
    """Attributes:
    run: retrains for a slot that is due; returns the exit code.
    say: told of each, a line.
    clock, sleep: the time, which may jump, and a pause in seconds.
    """

    slots: Slots
    run: Callable[[datetime], int]
    say: Callable[[str], None]
    clock: Callable[[], datetime] = current_time
    sleep: Callable[[float], None] = time.sleep

    def once(self) -> int:
        """Runs what is due; the run's exit code, or 0 where nothing is or another has it.

        Raises:
          KeyboardInterrupt: the run was cut off.
        """
        try:
            with self.slots.claimed(self.clock()) as slot:
                return 0 if slot is None else self._run(slot)
        except WorkspaceBusy:
            return 0  # who asks again in a while finds it due

    def forever(self) -> int:
        """Runs each slot as it comes, until it is interrupted; nothing else ends it.

        Returns:
          130 where a run was cut off, else 0.
        """
        shown = None
        try:
            while True:
                words = self._look()
                if words is not None and words != shown:  # once, not every minute
                    self.say(words)
                shown = words
                self._wait()
        except _CutOff:
            self.say("interrupted; its slot is due again at the next start")
            return INTERRUPTED
        except KeyboardInterrupt:
            return 0

    def _look(self) -> str | None:
        """Runs what is due; what went wrong, in one line: the next slot may go better."""
        try:
            with self.slots.claimed(self.clock()) as slot:
                if slot is not None:
                    self._run(slot)
        except CasegateError as error:
            return error.line
        except Exception as error:
            return f"internal error: {kind_and_words(error)} [{CasegateError.code}]"
        return None

    def _run(self, slot: datetime) -> int:
        self.say(f"retraining for {stamp(slot)}")
        try:
            code = self.run(slot)
        except KeyboardInterrupt:
            raise _CutOff from None
        self.say(f"ended with exit code {code}; next: {stamp(self.slots.cron.after(self.clock()))}")
        return code

    def _wait(self) -> None:
        """Until the next slot, or a while, after which a clock that was set back is noticed."""
        next_slot = self.slots.cron.after(self.clock())
        waited = 0.0
        while waited < LOOK_S:
            now = self.clock()
            if now >= next_slot:
                return
            step = min(STEP_S, (next_slot - now).total_seconds())
            self.sleep(step)
            waited += step


def stamp(moment: datetime) -> str:
    """The time as records write it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
