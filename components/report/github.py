"""What GitHub shows of a run: annotations beside the policy."""

import os
from collections.abc import Sequence
from pathlib import Path

from components.decision import CheckResult, Decision, Verdict
from components.records.text import one_line
from components.report.context import ReportContext
from components.report.words import blocking, explain, sentence, standing, title

MOST_SUMMARY_BYTES = 1 << 20  # what GitHub takes per step
SHOWN = 10  # GitHub keeps ten annotations of a kind per step


def github(decision: Decision, context: ReportContext) -> str:
    """Workflow commands for a step to print: the verdict first, then what does not pass.

    FAIL is an error, INCONCLUSIVE a warning; what is waived or supporting is a notice.
    """
    open_checks = blocking(decision)
    kinds = {
        "error": [check for check in open_checks if check.verdict is Verdict.FAIL],
        "warning": [check for check in open_checks if check.verdict is Verdict.INCONCLUSIVE],
    }
    kinds["notice"] = [c for c in decision.checks if c.verdict is not Verdict.PASS and not c.open]
    kind = {Verdict.PASS: "notice", Verdict.FAIL: "error"}.get(decision.verdict, "warning")
    message = sentence(decision) + (" All images are synthetic." if context.synthetic else "")
    lines = [workflow_command(kind, {"title": f"casegate: {decision.verdict.value}"}, message)]
    for name, checks in kinds.items():
        lines += _annotations(name, checks, context, SHOWN - (name == kind))
    return "\n".join(lines) + "\n"


def _annotations(
    kind: str, checks: Sequence[CheckResult], context: ReportContext, room: int
) -> list[str]:
    """At most `room` commands; where there are more checks, the last one says how many."""
    shown = checks if len(checks) <= room else checks[: room - 1]
    lines = []
    for check in shown:
        where = {"file": context.policy_path} if context.policy_path else {}
        if where and (line := context.line(check)):
            where["line"] = str(line)
        words = {"title": f"{standing(check)}: {title(check)}"}
        lines.append(workflow_command(kind, where | words, explain(check)))
    if len(shown) < len(checks):
        more = f"{len(checks) - len(shown)} more checks: see the report"
        lines.append(workflow_command(kind, {"title": "casegate"}, more))
    return lines


def append_job_summary(text: str) -> str | None:
    """Adds to the file that $GITHUB_STEP_SUMMARY names, if any; as much as it holds.

    Returns:
      Why that could not be done: a summary that is not shown changes no verdict.
    """
    if not (path := os.environ.get("GITHUB_STEP_SUMMARY")):
        return None
    try:
        there = Path(path).stat().st_size if Path(path).exists() else 0
        content = text.encode("utf-8", "replace")
        if there + len(content) > MOST_SUMMARY_BYTES:
            return f"$GITHUB_STEP_SUMMARY: {path}: is full; the summary was not added"
        with Path(path).open("ab") as file:
            file.write(content)
    except OSError as error:
        return f"$GITHUB_STEP_SUMMARY: {path}: cannot be written: {error.strerror}"
    return None


def workflow_command(kind: str, properties: dict[str, str], message: str) -> str:
    """One workflow command on one line, whatever the texts hold."""
    words = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{kind} {words}::{_escaped(message)}"


def _escaped(text: str) -> str:
    text = one_line(text, " ").replace("%", "%25")
    return text.replace("\r", "%0D").replace("\n", "%0A")
