"""What a try came to, and whether it is worth another: only what chance can mend is.

An internal error and a death by a signal (a lack of memory, a reboot) may not come again. What the
data, the settings or the gate said will be said again, and a limit that was met will be met again.
"""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from components.decision import EXIT_BROKEN, Decision, decision_from_json
from components.records.errors import CasegateError, IntegrityError, UsageError, WorkspaceBusy
from pipeline.settings.sections import RetrainingConfig
from pipeline.unattended.retraining.child import Ended


@dataclass(frozen=True)
class ChildOutcome:
    """What a child that came to a decision said of it, as `casegate run --format json` does.

    Attributes:
      unchanged: nothing ran, because nothing that could change the verdict changed.
    """

    decision: Decision
    exit_code: int
    unchanged: bool
    already_released: bool
    version: int | None
    report: str


@dataclass(frozen=True)
class Try:
    """One child.

    Attributes:
      exit_code: as a command ends with it; 70 where a signal or a limit ended the child.
      signal: the name of a signal that nobody here sent, such as SIGKILL.
      reason: one line; empty where it came to a decision.
      error: what it said as an object, if it did.
    """

    exit_code: int
    seconds: float
    reason: str = ""
    signal: str | None = None
    busy: bool = False
    worth_another: bool = False
    outcome: ChildOutcome | None = field(default=None, repr=False)
    error: CasegateError | None = field(default=None, compare=False)

    @property
    def died(self) -> bool:
        """Whether it ended without a word, so that its run is still recorded as going on."""
        return self.outcome is None and self.exit_code == EXIT_BROKEN

    def as_json(self) -> dict[str, Any]:
        kept = {name: vars(self)[name] for name in ("exit_code", "signal", "seconds", "reason")}
        return {**kept, "error": self.error.as_json() if self.error else None}


def read_try(ended: Ended) -> Try:
    """What a child's end means."""
    if ended.stopped:
        return Try(EXIT_BROKEN, ended.seconds, f"the run {ended.stopped} and was ended")
    if ended.signal is not None:
        name = _signal_name(ended.signal)
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        reason = f"the run was killed by {name}{hint}"
        return Try(EXIT_BROKEN, ended.seconds, reason, signal=name, worth_another=True)
    code = ended.exit_code
    assert code is not None
    outcome = _outcome(ended.stdout, code)
    if outcome is not None:
        return Try(code, ended.seconds, outcome=outcome)
    error, words = ended.error, ended.last_words or f"the run ended with {code} and without a word"
    if error is not None:
        words = error.line
    fits = error is not None and error.exit_code == code != EXIT_BROKEN
    if fits or code == UsageError.exit_code:
        busy = fits and isinstance(error, WorkspaceBusy)
        return Try(code, ended.seconds, words, busy=busy, error=error)
    # Whatever else it is, such as Python's own exit code for a traceback: no verdict.
    return Try(EXIT_BROKEN, ended.seconds, words, worth_another=True, error=error)


def run_tries(
    start: Callable[[float], Ended],
    config: RetrainingConfig,
    *,
    room: Callable[[], None],
    freed: Callable[[float], bool],
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> list[Try]:
    """Tries until one is not worth another, or retries or time have run out.

    Args:
      start: runs a child that may last so many seconds.
      room: raises CasegateError where there is no disk left for another try.
      freed: waits so many seconds at most for whoever holds the workspace; whether it is free now.

    Returns:
      All tries, at least one; of those that found the workspace taken only the last.
    """
    deadline = time.monotonic() + config.timeout_minutes * 60
    left, wait = config.retries, float(config.retry_wait_seconds)
    tries: list[Try] = []
    while True:
        tries = [each for each in tries if not each.busy]
        last = read_try(start(max(deadline - time.monotonic(), 0.0)))
        tries.append(last)
        if last.busy:
            say(f"{last.reason}; waiting for it")
            if freed(max(deadline - time.monotonic(), 0.0)):
                continue
            return tries
        if not last.worth_another or not left or time.monotonic() + wait > deadline:
            return tries
        say(f"{last.reason}; trying again in {wait:g} s, {left} left")
        sleep(wait)
        left, wait = left - 1, wait * 2
        try:
            room()
        except CasegateError as error:
            tries.append(Try(error.exit_code, 0.0, error.line, error=error))
            return tries


def _outcome(stdout: str, code: int) -> ChildOutcome | None:
    """The child's outcome; None where it said none that fits its exit code."""
    try:
        found = json.loads(stdout)
        if found["exit_code"] != code:
            return None
        return ChildOutcome(
            decision=decision_from_json(json.dumps(found["decision"])),
            unchanged=found["served_from_cache"],
            **{
                name: found[name] for name in ("exit_code", "already_released", "version", "report")
            },
        )
    except (ValueError, KeyError, TypeError, IntegrityError):
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"
