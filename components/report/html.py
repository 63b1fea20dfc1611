"""The report that a clinical owner reads: one self-contained page, without any network.

Everything from data is escaped by the template; the content policy of the page admits only its own
style and script, by their hashes, and pictures that are part of the page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from components.decision import CheckResult, Decision, Verdict
from components.pages import heat
from components.pages.page import breakable, page_of, source_hash, style_of
from components.pages.svg import Scale, drawing, element, label, line, mark, sign, ticks, whisker
from components.report import words
from components.report.curves import (
    bins,
    calibration_graph,
    curves,
    judged_scores,
    legend,
    roc_graph,
)
from components.report.evidence import ReportEvidence
from components.report.exports import COLUMNS, export_faults, export_rows
from components.report.words import interval, is_change, number, standing, title
from components.report.worklist import others, worklist

FOLDER = Path(__file__).parent
LISTED = 300
WIDTH, HEIGHT, EDGE = 320, 34, 12  # of an interval's picture
MIDDLE = HEIGHT / 2
# Headings and notes of panels.
KINDS = {
    "floor": ("Floors", "The whole interval must lie at or above the limit."),
    "attention": (
        "Where the score comes from",
        "The whole interval of the change of the share of heat must lie above the limit.",
    ),
    "latency": ("Latency in milliseconds", "The value must not be above the limit."),
    "step_time": ("Step of training in milliseconds", "The value must not be above the limit."),
    "privacy": ("Epsilon of the training", "The value must not be above the limit."),
    "negative_flips": ("Cases turned wrong", "The share itself must not be above the limit."),
    "alike": (
        "Called as the candidate calls them",
        "The whole interval of the share must lie at or above the limit.",
    ),
    "apart": ("Scores apart from the candidate's", "The mean must not be above the limit."),
}
CEILINGS = ("Ceilings", "The whole interval must lie at or below the limit.")


def html_report(decision: Decision, evidence: ReportEvidence | None, *, synthetic: bool) -> str:
    """The whole page; the same decision and evidence give the same bytes.

    Args:
      evidence: None where only the decision is at hand: then without curves, scores and pictures.
      synthetic: all images are drawn by a program, which the page says first.
    """
    judged = judged_scores(evidence) if evidence else None
    found = curves(evidence, judged) if evidence and judged else []
    script = (FOLDER / "report.js").read_text(encoding="utf-8")
    return page_of(
        FOLDER / "report.html.j2",
        style_of(),
        decision=decision,
        synthetic=synthetic,
        script=Markup(script),  # noqa: S704 - a file of this package
        script_hash=source_hash(script),
        open_checks=words.blocking(decision),
        panels=panels(decision.checks),
        exports=export_rows(decision),
        export_columns=COLUMNS,
        export_panels={each.kind: panels(each.checks, each.kind) for each in decision.exports},
        export_faults=export_faults,
        roc=roc_graph(found) if found else None,
        calibration=calibration_graph(found, decision.alpha) or None,
        curves=found,
        judged=judged,
        comparisons=words.regressed_first(decision),
        slices=decision.slices,
        admitted=evidence.admitted if evidence else None,
        work=worklist(decision, evidence, judged),
        listed=LISTED,
        words=words,
        heat=heat,
        bins=bins,
        breakable=breakable,
        legend=legend,
        others=others,
        verdict_sign=lambda verdict: sign(Verdict(verdict)),
    )


@dataclass(frozen=True)
class ForestRow:
    """A check and its interval as a picture; empty where it has none."""

    check: CheckResult
    picture: Markup


@dataclass(frozen=True)
class Panel:
    """Checks that share a scale; `axis` is empty where nothing is drawn."""

    title: str
    note: str
    axis: Markup
    rows: tuple[ForestRow, ...]


def panels(checks: Iterable[CheckResult], name: str = "strip") -> list[Panel]:
    """The gating checks by kind, then the supporting ones, each in the decision's order.

    Args:
      name: what the ids of the pictures begin with, of these checks alone.
    """
    kinds: dict[tuple[str, str, str], list[CheckResult]] = {}
    ordered = sorted(checks, key=lambda check: (check.role != "gate", not _drawn(check)))
    for check in ordered:
        kinds.setdefault((check.role, *_kind(check)), []).append(check)
    places = {check.check: f"{name}-{place}" for place, check in enumerate(ordered)}
    return [
        _panel(role, heading, note, group, places) for (role, heading, note), group in kinds.items()
    ]


def _drawn(check: CheckResult) -> bool:
    return check.estimate is not None and check.rule != "looks"


def _kind(check: CheckResult) -> tuple[str, str]:
    """Heading and note of the panel that a check belongs to."""
    if not _drawn(check):
        return "Conditions", "They hold or they do not; there is no interval."
    if check.rule == "non_inferiority":
        side = "above" if (check.limit or 0) < 0 else "below"
        note = f"The whole interval of the change must lie {side} the limit; 0 is no change."
        lower = "" if side == "above" else ", lower is better"
        return f"Change against {check.against}{lower}", note
    if check.rule == "site":
        change = f": change against {check.against}" if is_change(check) else ""
        return f"Given by sites{change}", "Each site judges its own figures."
    return KINDS.get(check.rule, CEILINGS)


def _panel(
    role: str, heading: str, note: str, checks: Sequence[CheckResult], places: dict[str, str]
) -> Panel:
    if role == "supporting":
        heading, note = f"Supporting: {heading[0].lower()}{heading[1:]}", f"{note} Decides nothing."
    drawn = [value for check in checks if _drawn(check) for value in _values(check)]
    if not drawn:
        rows = [ForestRow(check, Markup("")) for check in checks]
        return Panel(heading, note, Markup(""), tuple(rows))
    scale = _scale(drawn)
    marks = ticks(scale.low, scale.high)
    rows = [ForestRow(check, _strip(check, scale, marks, places[check.check])) for check in checks]
    return Panel(heading, note, _axis(scale, marks, signed=is_change(checks[0])), tuple(rows))


def _values(check: CheckResult) -> list[float]:
    found = (check.estimate, check.lower, check.upper, check.limit)
    values = [value for value in found if value is not None]
    return [*values, 0.0] if is_change(check) and values else values


def _scale(values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 0.1
    return Scale(low - room, high + room, EDGE, WIDTH - EDGE)


def _strip(check: CheckResult, scale: Scale, marks: Sequence[float], place: str) -> Markup:
    if check.estimate is None or not _drawn(check):
        return Markup("")
    parts = []
    if check.limit is not None:
        parts.append(_forbidden(check, scale(check.limit)))
    parts += [line(scale(value), 0, scale(value), HEIGHT, "grid") for value in marks]
    if is_change(check):
        parts.append(line(scale(0), 0, scale(0), HEIGHT, "zero"))
    if check.limit is not None:
        parts.append(line(scale(check.limit), 0, scale(check.limit), HEIGHT, "limit"))
    css = check.verdict.value.lower()
    if check.lower is not None and check.upper is not None:
        parts += whisker(scale(check.lower), scale(check.upper), MIDDLE, f"interval {css}")
    parts.append(mark(check.verdict, scale(check.estimate), MIDDLE))
    return drawing((WIDTH, HEIGHT), place, title(check), _text(check), *parts)


def _forbidden(check: CheckResult, limit: float) -> Markup:
    """The side of the limit on which a value must not lie."""
    below = check.rule in ("floor", "alike", "site") or (
        is_change(check) and (check.limit or 0) <= 0
    )
    start, end = (0.0, limit) if below else (limit, float(WIDTH))
    return element("rect", x=start, y=0, width=end - start, height=HEIGHT, class_="forbidden")


def _text(check: CheckResult) -> str:
    signed = is_change(check)
    return (
        f"{standing(check)}: estimate {number(check.estimate, signed=signed)}, interval "
        f"{interval(check)}, limit {number(check.limit, signed=signed)}."
    )


def _axis(scale: Scale, marks: Sequence[float], *, signed: bool) -> Markup:
    """The values under a panel's strips; a table beside them says the same in words."""
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    digits = next((n for n in range(5) if abs(round(step, n) - step) < 1e-9), 5)
    parts = [line(EDGE, 1, WIDTH - EDGE, 1, "axis")]
    for value in marks:
        text = f"{value + 0.0:{'+' if signed and value else ''}.{digits}f}"
        parts.append(line(scale(value), 1, scale(value), 5, "axis"))
        parts.append(label(scale(value), 17, text, "tick middle"))
    return element("svg", *parts, viewBox=f"0 0 {WIDTH} 22", aria_hidden="true")
