"""What a checked commit leaves for CI servers to show: JUnit, SARIF, Markdown, a page and JSON.

Every check writes every file that a job may upload, also one that judged nothing or was stopped:
a missing file would look like a fault of the job, or hide one of the model.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.records.clock import utc_now
from components.records.errors import ConfigError
from components.records.files import write_atomically, writing_to
from components.records.run_files import DECISION, HTML_REPORT, SCORES
from pipeline.ci.checked import CheckedCommit, JudgedBaseline
from pipeline.ci.plan import shown

if TYPE_CHECKING:
    from components.decision import Decision
    from components.report.context import ReportContext

JUNIT, SARIF, SUMMARY, RESULT = "junit.xml", "casegate.sarif", "summary.md", "result.json"
FILES = (JUNIT, SARIF, SUMMARY, RESULT, HTML_REPORT, DECISION, SCORES)
MOST_PATHS = 200


def clear(out: Path) -> None:
    """Removes what an earlier check left, so that nothing old is taken for new.

    Raises:
      ConfigError: the folder cannot be written to, or holds files of the same names that no check
        wrote.
    """
    with writing_to(f"--out {out}"):
        out.mkdir(parents=True, exist_ok=True)
        there = [name for name in FILES if (out / name).exists()]
        if there and RESULT not in there:
            raise ConfigError(
                f"--out {out}: holds {there[0]}, which no check wrote; name another folder"
            )
        for name in FILES:
            (out / name).unlink(missing_ok=True)
        write_atomically(out / ".gitignore", b"*\n")  # or the next check takes it for a change


def write_files(checked: CheckedCommit, out: Path) -> None:
    """Writes every file; ConfigError where that cannot be done."""
    from pipeline.ci.job_summary import summary

    files = {
        SUMMARY: summary(checked),
        JUNIT: junit(checked),
        SARIF: sarif(checked),
        RESULT: json.dumps(result(checked), indent=2, ensure_ascii=False) + "\n",
    }
    same = [o for o in checked.judged if o.gated.decision.exit_code == checked.exit_code]
    if same:
        files |= _of_decision(same[0])
    if len(checked.judged) > 1:
        for one in checked.judged:
            files |= {f"{one.name}/{k}": text for k, text in _of_decision(one).items()}
    with writing_to(f"--out {out}"):
        for name, text in files.items():
            write_atomically(out / name, text.encode("utf-8", "replace"))


def result(checked: CheckedCommit) -> dict[str, Any]:
    """The check for machines: what was planned, why, what came of it."""
    changes, plan = checked.changes, checked.plan
    found = changes.found
    return {
        "schema_version": 1,
        "exit_code": checked.exit_code,
        "plan": plan.kind,
        "reasons": list(plan.reasons),
        "findings": list(plan.findings),
        "release": plan.release,
        "base": changes.base,
        "head": changes.head,
        "clean": changes.clean,
        "compared": changes.summary,
        "changed": None if found is None else len(found),
        "paths": [[c.status, shown(c.path)] for c in (found or ())[:MOST_PATHS]],
        "judged": [_as_json(one) for one in checked.judged],
        "error": checked.error.line if checked.error else None,
        "notes": dict(checked.notes),
        "seconds": dict(checked.seconds),
    }


def annotations(checked: CheckedCommit) -> str:
    """GitHub's workflow commands for a step to print."""
    from components.report.github import workflow_command as command

    lines = [
        command("warning", {"title": "casegate"}, finding) for finding in checked.plan.findings
    ]
    for one in checked.judged:
        from pipeline.run.show_gate import rendered

        loosened = [change for change in one.limits if change.effect == "loosened"]
        if loosened:
            words = "; ".join(f"{c.what} {c.before} to {c.after}" for c in loosened)
            lines.append(command("warning", {"title": "casegate: limits loosened"}, words))
        lines += rendered(one.gated, "github").splitlines()
    if checked.error:
        lines.append(command("error", {"title": "casegate: stopped"}, str(checked.error)))
    return "".join(f"{line}\n" for line in lines)


def _with_context(checked: CheckedCommit) -> "Iterator[tuple[Decision, ReportContext]]":
    for one in checked.judged:
        from pipeline.run.show_gate import context_of

        yield one.gated.decision, context_of(one.gated)


def junit(checked: CheckedCommit) -> str:
    """A suite per decision; one of the check itself where there is none, or it was stopped."""
    from components.report.junit import case, decision_suite, junit_document, suite

    suites = [decision_suite(*one) for one in _with_context(checked)]
    if checked.error or not checked.judged:
        name, text = f"plan: {checked.plan.kind}", str(checked.error)
        done = case(name, "casegate")
        if checked.error:
            kind = type(checked.error).__name__
            done = case(name, "casegate", kind="error", sort=kind, message=text, text=text)
        why = "; ".join(checked.plan.reasons)
        suites.append(suite("casegate ci", [done], at=utc_now(), facts={}, output=why))
    return junit_document(suites)


def sarif(checked: CheckedCommit) -> str:
    """A run per decision; one of the check itself where there is none, or it was stopped."""
    from components.report.sarif import decision_run, sarif_document, sarif_message, sarif_run

    runs = [decision_run(*one) for one in _with_context(checked)]
    if checked.error or not checked.judged:
        text = "The check ended without a verdict."
        results = []
        if checked.error:
            message = {"text": sarif_message(checked.error.line)}
            results = [{"ruleId": "stopped", "level": "error", "message": message}]
        run = sarif_run(
            "casegate ci/",
            [{"id": "stopped", "shortDescription": {"text": text}}],
            results,
            successful=checked.error is None,
            exit_code=checked.exit_code,
            description=text if checked.error else "Nothing had to be judged.",
        )
        runs.append(run)
    return sarif_document(runs)


def _as_json(one: JudgedBaseline) -> dict[str, Any]:
    decision = one.gated.decision
    return {
        "baseline": one.name,
        "whose": one.whose,
        "verdict": decision.verdict.value,
        "exit_code": decision.exit_code,
        "decision_sha256": decision.decision_sha256,
        "compared_with": one.compared.name if one.compared else None,
        "verdict_before": one.compared.decision.verdict.value if one.compared else None,
        "remark": one.remark,
        "limits": [vars(change) for change in one.limits],
    }


def _of_decision(one: JudgedBaseline) -> dict[str, str]:
    from components.baselines.scores import scores_document
    from components.records.rows import json_with_rows
    from pipeline.run.show_gate import rendered

    header, rows = scores_document(one.gated.scores["candidate"])
    page = one.report.read_text(encoding="utf-8") if one.report else rendered(one.gated, "html")
    return {
        DECISION: one.gated.decision.to_json(),
        SCORES: json_with_rows(header, "scores", rows).decode(),
        HTML_REPORT: page,
    }
