"""What a person is told of an attempt: what became of it, why, and what to do next."""

from pathlib import Path

import click

from components.decision import CheckResult, Decision
from components.notify.notice import Message
from components.pages.page import text_of
from components.report.words import blocking, explain
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import Attempt, Retrained

# What can become of an attempt, and what a person is told of it as; what leaves the release as it
# was, on purpose, is nothing new. Beside the states of a run that decided: nothing_new, failed,
# interrupted (it was told to end) and killed (it ended without a word).
KINDS = {
    "released": "released",
    "passed": "nothing_new",
    "already_released": "nothing_new",
    "nothing_new": "nothing_new",
    "blocked": "blocked",
    "inconclusive": "inconclusive",
    "failed": "failed",
    "interrupted": "failed",
    "killed": "failed",
}
WHAT = ("attempt_id", "trigger", "state", "exit_code", "error")
CAME_OF_IT = ("run_id", "version", "data", "report")
MOST_CHECKS = 10
_STOOD = {"PASS": "passed", "FAIL": "was blocked", "INCONCLUSIVE": "was inconclusive"}
HEADLINES = {
    "released": "released",
    "passed": "passed, and not released: serving.release is false",
    "already_released": "the candidate is what is released already",
    "blocked": "not released: checks failed",
    "inconclusive": "not released: the cases do not decide it",
    "failed": "failed",
}


def message(
    attempt: Attempt, decision: Decision | None, workspace: Workspace, *, model: str, log: Path
) -> Message:
    """The notice about an attempt that ended.

    Args:
      decision: what the run came to, or what stands where it found nothing new.
      log: what the children wrote, if there were any.
    """
    what = attempt.error if KINDS[attempt.state] == "failed" else attempt.run_id
    return Message(
        kind=KINDS[attempt.state],
        subject=f"{model}: {_subject(attempt, decision)}",
        lines=tuple(_letter(attempt, decision, workspace, log)),
        key=f"retraining {attempt.state}: {what}",
        facts={
            **{name: getattr(attempt, name) for name in WHAT + CAME_OF_IT},
            "verdict": decision.verdict.value if decision else None,
            "failed_checks": [check.check for check in blocking(decision)] if decision else [],
            "workspace": str(workspace.root),
        },
    )


def _subject(attempt: Attempt, decision: Decision | None) -> str:
    state, version = attempt.state, attempt.version
    if decision is not None and state in ("blocked", "inconclusive"):
        found = blocking(decision)
        return f"{state}: {len(found)} of {len(decision.checks)} checks stand in the way"
    if state == "nothing_new":
        stood = f", which {_STOOD[decision.verdict.value]}" if decision else ""
        return f"nothing new since run {attempt.run_id}{stood}"
    return {
        "released": f"released as version {version}",
        "passed": "passed; nothing is released, because serving.release is false",
        "already_released": f"the candidate is what is released already, version {version}",
        "interrupted": "a retraining was told to end",
        "killed": "a retraining ended without a word",
    }.get(state, "a retraining failed")


def _letter(
    attempt: Attempt, decision: Decision | None, workspace: Workspace, log: Path
) -> list[str]:
    run_log = [workspace.runs / attempt.run_id / "run.log"] if attempt.run_id else []
    text = text_of(
        Path(__file__).with_name("notice.txt.j2"),
        attempt=attempt,
        decision=decision,
        blocking=blocking(decision) if decision else [],
        in_words=_in_words,
        most=MOST_CHECKS,
        workspace=workspace.root,
        logs=[path for path in (log, *run_log) if path.exists()],
    )
    return text.split("\n")


def _in_words(check: CheckResult) -> str:
    numbers = [] if check.estimate is None else [f"estimate {check.estimate:.4g}"]
    if check.lower is not None and check.upper is not None:
        numbers.append(f"interval {check.lower:.4g} to {check.upper:.4g}")
    numbers += [] if check.limit is None else [f"limit {check.limit:.4g}"]
    return explain(check) + (f" ({', '.join(numbers)})" if numbers else "")


def show_retrained(retrained: Retrained) -> None:
    """The state, the checks that stand in the way, and where everything is."""
    attempt, outcome = retrained.attempt, retrained.outcome
    decision = outcome.decision if outcome else None
    text = text_of(
        Path(__file__).with_name("retrained.txt.j2"),
        attempt=attempt,
        decision=decision,
        headline=HEADLINES.get(attempt.state),
        blocking=blocking(decision) if decision else [],
        explain=explain,
        deliveries=retrained.deliveries,
        pruned=retrained.pruned,
    )
    click.echo(f"\n{text}")
