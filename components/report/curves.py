"""ROC and calibration curves of candidate, champion and golden, for the eye: they decide nothing.

Points are thinned for the page only; every figure in a table is exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.baselines.scores import aligned
from components.records.errors import CasegateError
from components.report.evidence import ReportEvidence
from components.statistics.auc import auc
from components.statistics.calibration import Reliability, reliability

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MODELS = ("candidate", "champion", "golden")
MOST_POINTS = 400
BINS = 10
BARS = 25


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
