"""What an attempt came to, from what its tries said and from what is really served."""

from collections.abc import Sequence
from dataclasses import replace

from components.decision import EXIT_FAIL, EXIT_INCONCLUSIVE, Verdict
from components.records.errors import CasegateError
from components.report.words import explain
from pipeline.settings.config import Config
from pipeline.unattended.retraining.attempt import Attempt
from pipeline.unattended.retraining.tries import ChildOutcome, Try

INTERRUPTED = 130  # as shells have it


def settled(attempt: Attempt, tries: Sequence[Try], config: Config, *, again: bool) -> Attempt:
    """The attempt after its last try.

    Args:
      again: an earlier attempt was killed, and nobody was told what it came to.
    """
    last, outcome = tries[-1], tries[-1].outcome
    attempt = replace(attempt, tries=tuple(tries))
    if outcome is None:
        return replace(attempt, state="failed", exit_code=last.exit_code, error=last.reason)
    state = _state(outcome, attempt.version_before, config, again=again or len(tries) > 1)
    return replace(
        attempt,
        state=state,
        exit_code=0 if state == "nothing_new" else outcome.exit_code,
        run_id=outcome.decision.run_id,
        report=outcome.report,
        error=_first_open(outcome) if state == "failed" else None,
    )


def refused(attempt: Attempt, error: Exception) -> Attempt:
    """The attempt where no child could be started."""
    if not isinstance(error, CasegateError):
        error = CasegateError(f"internal error: {type(error).__name__}: {error}")
    line = " ".join(error.line.split())
    return replace(attempt, state="failed", exit_code=error.exit_code, error=line)


def interrupted(attempt: Attempt) -> Attempt:
    """The attempt that a signal or a person ended."""
    words = "the retraining was told to end before it was done"
    return replace(attempt, state="interrupted", exit_code=INTERRUPTED, error=words)


def killed(attempt: Attempt) -> Attempt:
    """The attempt whose own process ended without a word."""
    words = f"the retraining of {attempt.started} was killed, or the machine went down"
    return replace(attempt, state="killed", error=words)


def _state(outcome: ChildOutcome, before: int | None, config: Config, *, again: bool) -> str:
    """How it ended.

    A try that died may have decided and released before; the one after it then finds nothing new,
    which is the news of this attempt.
    """
    if outcome.unchanged and not again:
        return "nothing_new"
    if outcome.exit_code in (EXIT_FAIL, EXIT_INCONCLUSIVE):
        return "blocked" if outcome.exit_code == EXIT_FAIL else "inconclusive"
    if outcome.decision.verdict is not Verdict.PASS:
        return "failed"  # an integrity error, nothing evaluated, or a gate that is broken
    if not config.serving.release:
        return "passed"
    if outcome.unchanged or outcome.already_released:
        if again and outcome.version != before:
            return "released"
        return "nothing_new" if outcome.unchanged else "already_released"
    return "released"


def _first_open(outcome: ChildOutcome) -> str:
    found = (explain(check) for check in outcome.decision.checks if check.open)
    return next(found, "the gate gave no reason")
