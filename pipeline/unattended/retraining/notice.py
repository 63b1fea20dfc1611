"""What a person is told of an attempt: what became of it, why, and what to do next."""

from pathlib import Path

import click

from components.decision import CheckResult, Decision
from components.notify.notice import Message
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
    lines = [*_what(attempt, decision), f"Data: {attempt.data}"]
    lines += [f"Run: {attempt.run_id}"] if attempt.run_id else []
    lines += [f"Report: {attempt.report}"] if attempt.report else []
    lines += [f"Workspace: {workspace.root}", _served(attempt)]
    lines += _next(attempt, decision, workspace, log)
    what = attempt.error if KINDS[attempt.state] == "failed" else attempt.run_id
    return Message(
        kind=KINDS[attempt.state],
        subject=f"{model}: {_subject(attempt, decision)}",
        lines=tuple(lines),
        key=f"retraining {attempt.state}: {what}",
        facts={
            "attempt_id": attempt.attempt_id,
            "state": attempt.state,
            "trigger": attempt.trigger,
            "exit_code": attempt.exit_code,
            "run_id": attempt.run_id,
            "verdict": decision.verdict.value if decision else None,
            "version": attempt.version,
            "data": attempt.data,
            "report": attempt.report,
            "error": attempt.error,
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


def _what(attempt: Attempt, decision: Decision | None) -> list[str]:
    """What happened: an error, or what the gate decided."""
    lines = [attempt.error] if attempt.error else []
    if len(attempt.tries) > 1:
        lines.append(f"It was tried {len(attempt.tries)} times.")
    if decision is None:
        return lines
    cases = decision.case_set
    lines.append(
        f"{decision.verdict.value} on {cases['cases']} cases of {cases['name']} version "
        f"{cases['version']}, policy {decision.policy}."
    )
    found = blocking(decision)
    lines += [f"{check.verdict.value} {_in_words(check)}" for check in found[:MOST_CHECKS]]
    if len(found) > MOST_CHECKS:
        lines.append(f"and {len(found) - MOST_CHECKS} more, in the report")
    for flips in decision.flips:
        if flips.lost:
            never = len(flips.lost_sentinels)
            missed = f", {never} of them never to be missed" if never else ""
            lines.append(
                f"{len(flips.lost)} cases that {flips.against} has right turned wrong{missed}."
            )
    return lines


def _in_words(check: CheckResult) -> str:
    numbers = []
    if check.estimate is not None:
        numbers.append(f"estimate {check.estimate:.4g}")
    if check.lower is not None and check.upper is not None:
        numbers.append(f"interval {check.lower:.4g} to {check.upper:.4g}")
    if check.limit is not None:
        numbers.append(f"limit {check.limit:.4g}")
    figures = f" ({', '.join(numbers)})" if numbers else ""
    return f"{explain(check)}{figures}"


def _served(attempt: Attempt) -> str:
    if attempt.version is None:
        return "Nothing is released."
    if attempt.version != attempt.version_before:
        return f"Version {attempt.version} is served now."
    return f"Version {attempt.version} is served as before."


def _next(
    attempt: Attempt, decision: Decision | None, workspace: Workspace, log: Path
) -> list[str]:
    state, found = attempt.state, blocking(decision) if decision else []
    if [check.check for check in found] == ["baseline.golden"]:
        return [
            "Next: look at the report, then approve the first golden scores by name: "
            f"casegate baseline bootstrap --workspace {workspace.root} --by NAME --reason TEXT"
        ]
    if state == "blocked":
        return ["Next: look at the lost cases in the report, and at what is new in the data."]
    if state == "inconclusive":
        return ["Next: the report says what the cases cannot decide; judge on more of them."]
    if state in ("failed", "killed", "interrupted"):
        run = workspace.runs / attempt.run_id / "run.log" if attempt.run_id else None
        logs = [str(path) for path in (log, run) if path and path.exists()]
        again = "The next retraining starts afresh; to start one now: casegate retrain"
        return [*(f"Log: {path}" for path in logs), again]
    return []


def show_retrained(retrained: Retrained) -> None:
    """The state, the checks that stand in the way, and where everything is."""
    attempt, outcome = retrained.attempt, retrained.outcome
    click.echo(f"\n{_headline(retrained)}")
    if outcome and attempt.state != "nothing_new":
        for check in blocking(outcome.decision):
            click.echo(f"{check.verdict.value} {explain(check)}")
    served = f"version {attempt.version}" if attempt.version is not None else "nothing is released"
    places = [("served", served), ("data", attempt.data)]
    places += [("run", attempt.run_id)] if attempt.run_id else []
    places += [("report", attempt.report)] if attempt.report else []
    places += [("attempt", attempt.attempt_id)]
    for name, place in places:
        click.echo(f"{name:<9}{place}")
    for delivery in retrained.deliveries:
        click.echo(f"{'told':<9}{delivery.channel}: {delivery.state}")
    if retrained.pruned and retrained.pruned.files:
        mebibytes = retrained.pruned.bytes / 2**20
        click.echo(f"{'pruned':<9}{retrained.pruned.files} files, {mebibytes:.1f} MiB")


def _headline(retrained: Retrained) -> str:
    attempt, outcome = retrained.attempt, retrained.outcome
    if outcome is None:
        return HEADLINES[attempt.state]
    verdict = outcome.decision.verdict.value
    if attempt.state == "nothing_new":
        return f"nothing new since run {attempt.run_id}, whose verdict was {verdict}"
    return f"{verdict}  {HEADLINES[attempt.state]}"
