"""Area under the ROC curve, and the difference of two areas measured on the same cases.

DeLong's variance is zero where no pair of cases disagrees (perfect separation, two models that
order the cases alike), which would claim certainty from a handful of cases. There the bounds come
from the independent pairs that one can form, min(positives, negatives) of them: each is a trial
that succeeds with probability AUC, and bounds for one proportion or two paired ones apply.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import TooFewCases
from components.statistics.intervals import clopper_pearson, normal_quantile
from components.statistics.paired import tango

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Area:
    """An AUC in [0, 1], or a difference of two in [-1, 1], with its bounds."""

    estimate: float
    lower: float
    upper: float
    positives: int
    negatives: int


def auc(scores: Floats, labels: Bools, *, alpha: float = 0.025) -> Area:
    """AUC with DeLong's interval, in O(n log n).

    Args:
      scores: shape (n_cases,), larger means more likely positive; finite.
      labels: bool, shape (n_cases,), True for positive.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.

    Raises:
      TooFewCases: fewer than two cases in a class, so no variance exists.
      ValueError: a score is not finite, or the shapes differ.

    Source: DeLong et al. (1988), Biometrics 44:837-845; Sun and Xu (2014), IEEE Signal Processing
    Letters 21:1389-1393.
    """
    of_positives, of_negatives = _placements(scores, labels)
    estimate = float(of_positives.mean())
    error = _standard_error(of_positives, of_negatives)
    if error == 0:
        pairs = min(of_positives.size, of_negatives.size)
        # All scores tied is such an area too, at a half: rounded outwards.
        fewer, more = math.floor(estimate * pairs), math.ceil(estimate * pairs)
        lower = float(clopper_pearson(fewer, pairs, alpha=alpha).lower)
        upper = float(clopper_pearson(more, pairs, alpha=alpha).upper)
    else:
        half = normal_quantile(alpha) * error
        lower, upper = max(0.0, estimate - half), min(1.0, estimate + half)
    return Area(estimate, lower, upper, of_positives.size, of_negatives.size)


def auc_difference(
    candidate: Floats, baseline: Floats, labels: Bools, *, alpha: float = 0.025
) -> Area:
    """AUC of the candidate minus AUC of the baseline on the same cases, with DeLong's interval.

    Args, Raises, Source: as `auc`; `candidate` and `baseline` are scores in the same case order.
    """
    ours_positive, ours_negative = _placements(candidate, labels)
    theirs_positive, theirs_negative = _placements(baseline, labels)
    estimate = float(ours_positive.mean()) - float(theirs_positive.mean())
    error = _standard_error(ours_positive - theirs_positive, ours_negative - theirs_negative)
    if error == 0:
        pairs = min(ours_positive.size, ours_negative.size)
        worse, better = math.floor(estimate * pairs), math.ceil(estimate * pairs)
        lower = tango(max(worse, 0), max(-worse, 0), pairs, alpha=alpha).lower
        upper = tango(max(better, 0), max(-better, 0), pairs, alpha=alpha).upper
    else:
        half = normal_quantile(alpha) * error
        lower, upper = max(-1.0, estimate - half), min(1.0, estimate + half)
    return Area(estimate, lower, upper, ours_positive.size, ours_negative.size)


def _placements(scores: Floats, labels: Bools) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it, for each negative of positives above it.

    Ties count half. Either array's mean is the AUC.
    """
    if scores.shape != labels.shape or scores.ndim != 1 or labels.dtype != np.bool_:
        raise ValueError("auc: wanted scores and bool labels of one shape (n_cases,)")
    if not np.isfinite(scores).all():
        raise ValueError("auc: wanted finite scores; a NaN has no rank")
    positives = int(np.count_nonzero(labels))
    negatives = labels.size - positives
    if min(positives, negatives) < 2:
        raise TooFewCases(
            f"auc: got {positives} positive and {negatives} negative cases, wanted 2 of each"
        )
    order = np.argsort(scores)
    ordered = scores[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]  # of a run of equal scores
    run = np.cumsum(first) - 1
    start = np.flatnonzero(first)
    end = np.r_[start[1:], scores.size]
    # Twice the count below, an equal one counting half: whole numbers until the division, so that
    # equal rankings give bit-equal placements.
    positives_before = np.r_[0, np.cumsum(labels[order])]
    below_positive = (positives_before[start] + positives_before[end])[run]
    below_negative = (start + end)[run] - below_positive
    placements = np.empty(scores.size)
    placements[order] = np.where(
        labels[order], below_negative / (2 * negatives), 1 - below_positive / (2 * positives)
    )
    return placements[labels], placements[~labels]


def _standard_error(of_positives: Floats, of_negatives: Floats) -> float:
    variance = of_positives.var(ddof=1) / of_positives.size
    variance += of_negatives.var(ddof=1) / of_negatives.size
    # Constant placements can leave a rounding residue, which is no evidence of anything.
    return float(np.sqrt(variance)) if variance > 1e-28 else 0.0
