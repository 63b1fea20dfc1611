"""ROC and calibration curves of candidate, champion and golden, for the eye: they decide nothing.

Points are thinned for the page only; every figure in a table is exact.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from components.baselines.scores import aligned
from components.pages.svg import Scale, drawing, element, label, line, polygon, polyline
from components.records.errors import CasegateError
from components.report.evidence import ReportEvidence
from components.report.words import number
from components.statistics.auc import auc
from components.statistics.calibration import Reliability, reliability
from components.statistics.intervals import wilson

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MODELS = ("candidate", "champion", "golden")
MOST_POINTS = 400
BINS = 10
BARS = 25

SIZE = 360
LEFT, RIGHT, TOP, BOTTOM = 46, SIZE - 10, 10, SIZE - 42
ACROSS, UP = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
SPREAD_HEIGHT = 48  # of the spread of the scores below the calibration curve
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class Curve:
    """How one model ranks and calls the cases.

    Attributes:
      false_positives, sensitivity: the ROC curve, in [0, 1], rising, shape (n_points,).
      at: false positive rate and sensitivity at the operating point.
      calibration: None where the scores are no probabilities.
      histogram: cases by score, in BARS equal parts of [0, 1]; empty where it has no calibration.
    """

    model: str
    auc: float
    operating_point: float
    false_positives: Floats
    sensitivity: Floats
    at: tuple[float, float]
    calibration: Reliability | None
    histogram: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CurveScores:
    """The scores that fit the cases.

    Attributes:
      scores: by model, in the order of the case set.
      faults: why a model's scores are missing from `scores`, one line each.
    """

    labels: Bools
    scores: Mapping[str, Floats]
    faults: tuple[str, ...]


def judged_scores(evidence: ReportEvidence) -> CurveScores:
    """Every model's scores in the order of the cases, where they are finite and fit."""
    labels = np.fromiter((case.label == 1 for case in evidence.case_set.cases), np.bool_)
    found: dict[str, Floats] = {}
    faults = []
    for model in MODELS:
        if model not in evidence.scores:
            continue
        try:
            scores = aligned(evidence.scores[model], evidence.case_set, who=f"{model} scores")
        except CasegateError as error:
            faults.append(str(error))
            continue
        wrong = int(np.count_nonzero(~np.isfinite(scores)))
        if wrong:
            faults.append(f"{wrong} of {scores.size} {model} scores are NaN or infinite")
        else:
            found[model] = scores
    return CurveScores(labels, found, tuple(faults))


def curves(evidence: ReportEvidence, judged: CurveScores) -> list[Curve]:
    """A curve for each model whose scores fit, the candidate's first.

    None without the candidate, whom the others are there to compare with, and none where all cases
    are of one kind.
    """
    positives = int(np.count_nonzero(judged.labels))
    if min(positives, judged.labels.size - positives) < 2:
        return []
    points = {model: evidence.scores[model].operating_point for model in judged.scores}
    if not np.isfinite(points.get("candidate", np.nan)):
        return []
    return [
        _curve(model, scores, judged.labels, points[model])
        for model, scores in judged.scores.items()
        if np.isfinite(points[model])
    ]


def _curve(model: str, scores: Floats, labels: Bools, operating_point: float) -> Curve:
    false_positives, sensitivity = roc(scores, labels)
    called = scores >= operating_point
    probabilities = bool(scores.min() >= 0 and scores.max() <= 1)
    counts = np.histogram(scores, BARS, range=(0, 1))[0] if probabilities else ()
    return Curve(
        model=model,
        auc=auc(scores, labels).estimate,
        operating_point=operating_point,
        false_positives=false_positives,
        sensitivity=sensitivity,
        at=(float(called[~labels].mean()), float(called[labels].mean())),
        calibration=reliability(scores, labels, bins=BINS) if probabilities else None,
        histogram=tuple(map(int, counts)),
    )


def roc(scores: Floats, labels: Bools) -> tuple[Floats, Floats]:
    """False positive rates and sensitivities from (0, 0) to (1, 1), at most MOST_POINTS of them.

    Args:
      scores, labels: finite, shape (n_cases,), with both kinds of label.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_equal = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    hits = np.cumsum(labels[order])[last_of_equal]
    alarms = last_of_equal + 1 - hits
    x = np.r_[0.0, alarms / alarms[-1]]
    y = np.r_[0.0, hits / hits[-1]]
    if x.size > MOST_POINTS:
        # Evenly along the curve, so that a steep rise keeps its shape.
        kept = np.searchsorted(x + y, np.linspace(0, 2, MOST_POINTS))
        kept = np.unique(np.r_[0, kept[kept < x.size], x.size - 1])
        x, y = x[kept], y[kept]
    return x, y


def model_mark(model: str, x: float, y: float) -> Markup:
    """A model's sign: a disc for the candidate, a square for the champion, a diamond for golden."""
    css = f"dot {model}"
    if model == "candidate":
        return element("circle", cx=x, cy=y, r=6, class_=css)
    if model == "champion":
        return element("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, class_=css)
    corners = ((x, y - 7.5), (x + 7.5, y), (x, y + 7.5), (x - 7.5, y))
    return polygon(corners, css)


def legend(model: str) -> Markup:
    """A piece of a model's line with its sign."""
    parts = (line(2, 9, 38, 9, f"curve {model}"), model_mark(model, 20, 9))
    return element("svg", *parts, viewBox="0 0 40 18", class_="legend", aria_hidden="true")


def roc_graph(found: Sequence[Curve]) -> Markup:
    """All models' ROC curves, the baselines below the candidate, each with its operating point."""
    parts = [
        polyline(zip(map(ACROSS, curve.false_positives), map(UP, curve.sensitivity)), _line(curve))
        for curve in reversed(found)
    ]
    parts += [
        model_mark(curve.model, ACROSS(curve.at[0]), UP(curve.at[1])) for curve in reversed(found)
    ]
    text = "; ".join(
        f"{curve.model}: area {number(curve.auc)}, at its operating point sensitivity "
        f"{number(curve.at[1])} and specificity {number(1 - curve.at[0])}"
        for curve in found
    )
    frame = _frame("1 - specificity (false alarms)", "sensitivity (found)")
    return drawing((SIZE, SIZE), "roc", "ROC curves", f"{text}.", *frame, *parts)


def calibration_graph(found: Sequence[Curve], alpha: float) -> Markup:
    """Share of positives by mean score; empty where the candidate's scores are no probabilities."""
    if not found or found[0].calibration is None:
        return Markup("")
    first, points = found[0], bins(found[0])
    parts = [*_score_bars(first), *_whiskers(first, alpha)]
    parts += [
        polyline(((ACROSS(x), UP(y)) for x, y, _ in bins(curve)), _line(curve))
        for curve in reversed(found)
        if curve.calibration is not None
    ]
    parts += [
        element("circle", cx=ACROSS(x), cy=UP(y), r=3.5, class_="dot candidate")
        for x, y, _ in points
    ]
    text = "; ".join(
        f"mean score {number(x)}: {number(y)} of {n} are positive" for x, y, n in points
    )
    title = f"Calibration of the {first.model}"
    size = (SIZE, SIZE + SPREAD_HEIGHT)
    frame = _frame("mean score in the bin", "share that is positive")
    return drawing(size, "calibration", title, f"{text}.", *frame, *parts)


def _line(curve: Curve) -> str:
    return f"curve {curve.model}"


def bins(curve: Curve) -> list[tuple[float, float, int]]:
    """The calibration curve: mean score, share of positives and number of cases of each bin."""
    found = curve.calibration
    if found is None:
        return []
    return list(
        zip(*(column.tolist() for column in (found.mean_score, found.observed_share, found.n)))
    )


def _whiskers(curve: Curve, alpha: float) -> Iterator[Markup]:
    for x, y, n in bins(curve):
        bounds = wilson(round(y * n), n, alpha=alpha)
        low, high = UP(float(bounds.lower)), UP(float(bounds.upper))
        yield line(ACROSS(x), low, ACROSS(x), high, f"whisker {curve.model}")


def _score_bars(curve: Curve) -> Iterator[Markup]:
    """How the scores spread, as bars below the axis."""
    base, most = SIZE + SPREAD_HEIGHT - 2, max(curve.histogram)
    width = (RIGHT - LEFT) / BARS
    name = f"{curve.model}'s scores: at most {most:,} cases in a bar"
    yield label(LEFT, base - SPREAD_HEIGHT + 14, name, "tick")
    for place, count in enumerate(curve.histogram):
        height = count / most * (SPREAD_HEIGHT - 20)
        box = {"x": LEFT + place * width + 0.5, "y": base - height, "width": width - 1}
        yield element("rect", **box, height=height, class_="bar")


def _frame(x_name: str, y_name: str) -> Iterator[Markup]:
    for value in TICKS:
        x, y, text = ACROSS(value), UP(value), f"{value:g}"
        yield line(x, TOP, x, BOTTOM, "grid")
        yield line(LEFT, y, RIGHT, y, "grid")
        yield label(x, BOTTOM + 15, text, "tick middle")
        yield label(LEFT - 6, y + 4, text, "tick end")
    middle = (TOP + BOTTOM) / 2
    turned = f"rotate(-90 11 {middle:g})"
    yield label((LEFT + RIGHT) / 2, BOTTOM + 34, x_name, "name middle")
    yield element("text", y_name, x=11, y=middle, transform=turned, class_="name middle")
    yield line(ACROSS(0), UP(0), ACROSS(1), UP(1), "chance")
