"""The report that a clinical owner reads: one self-contained page, without any network.

Everything from data is escaped by the template; the content policy of the page admits only its own
style and script, by their hashes, and pictures that are part of the page.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from components.decision import CheckResult, Comparison, Decision, Verdict
from components.pages.page import source_hash, style_of, templates
from components.pages.svg import sign
from components.report import words
from components.report.curves import Curve, CurveScores, curves, judged_scores
from components.report.evidence import ReportEvidence
from components.report.forest import panels
from components.report.graphs import bins, calibration_graph, legend, roc_graph
from components.report.worklist import others, worklist

FOLDER = Path(__file__).parent
LISTED = 300


def html_report(decision: Decision, evidence: ReportEvidence | None, *, synthetic: bool) -> str:
    """The whole page; the same decision and evidence give the same bytes.

    Args:
      evidence: None where only the decision is at hand: then without curves, scores and pictures.
      synthetic: all images are drawn by a program, which the page says first.
    """
    judged = judged_scores(evidence) if evidence else None
    found = curves(evidence, judged) if evidence and judged else []
    style, script = style_of(), (FOLDER / "report.js").read_text(encoding="utf-8")
    page = _template().render(
        decision=decision,
        synthetic=synthetic,
        style=Markup(style),  # noqa: S704 - a file of this project
        script=Markup(script),  # noqa: S704 - a file of this package
        style_hash=source_hash(style),
        script_hash=source_hash(script),
        open_checks=_failed_first(decision.checks),
        panels=panels(decision.checks),
        roc=roc_graph(found) if found else None,
        calibration=calibration_graph(found, decision.alpha) or None,
        curves=found,
        no_curves=_why_no_curves(evidence, judged, found),
        comparisons=_regressed_first(decision.comparisons),
        slices=decision.slices,
        work=worklist(decision, evidence, judged),
        listed=LISTED,
    )
    return str(page).strip() + "\n"


def _why_no_curves(
    evidence: ReportEvidence | None, judged: CurveScores | None, found: Sequence[Curve]
) -> list[str]:
    """What a reader must know of curves that are not drawn."""
    if evidence is None or judged is None:
        return ["No scores were at hand when this page was made."]
    reasons = [f"Not drawn: {fault}." for fault in judged.faults]
    if not found and not judged.faults:
        reasons.append("Not drawn: a curve needs two cases of either kind, and finite numbers.")
    elif not found:
        reasons.append("Without the candidate's curve there is nothing to compare.")
    if found and found[0].calibration is None:
        reasons.append("No calibration curve: the scores are not all between 0 and 1.")
    return reasons


def _failed_first(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """The checks that stand in the way of a release."""
    blocking = [check for check in checks if check.open]
    return sorted(blocking, key=lambda check: check.verdict is not Verdict.FAIL)


def _regressed_first(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda row: (not row.regressed, row.holm))


def breakable(name: str) -> Markup:
    """A check's name that may break after its dots and brackets rather than inside a word."""
    escaped = str(escape(name))
    return Markup(escaped.replace(".", ".<wbr>").replace("]", "]<wbr>"))  # noqa: S704 - escaped


@functools.cache
def _template() -> Any:
    environment = templates(FOLDER)
    environment.globals |= {
        "words": words,
        "bins": bins,
        "breakable": breakable,
        "legend": legend,
        "others": others,
        "verdict_sign": lambda verdict: sign(Verdict(verdict)),
    }
    return environment.get_template("report.html.j2")
