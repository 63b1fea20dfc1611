"""Keeps the schedule in the foreground, for containers, and looks once for whoever asks often."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from components.records.clock import current_time
from components.records.errors import CasegateError, WorkspaceBusy
from pipeline.unattended.scheduling.slots import Slots

Runner = Callable[[datetime], int]  # retrains for a slot; the exit code

STEP_S = 1.0  # of sleep: what a changed clock, a suspended machine or a signal waits for at most
LOOK_S = 60.0  # between two looks at what other schedulers did
INTERRUPTED = 130  # as shells have it


class _CutOff(KeyboardInterrupt):
    """A run was interrupted, and not the wait for one."""


@dataclass(frozen=True)
class Loop:
    """Attributes:
    run: is called for each slot that is due.
    say: told of each, a line.
    clock, sleep: the time, which may jump, and a pause in seconds.
    """

    slots: Slots
    run: Runner
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
        said = None
        try:
            while True:
                words = self._look()
                if words is not None and words != said:  # once, not every minute
                    self.say(words)
                said = words
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
            words = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return f"internal error: {words} [{CasegateError.code}]"
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
