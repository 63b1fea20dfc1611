"""Area under the ROC curve, and the difference of two areas measured on the same cases.

DeLong's variance is zero where no pair of cases disagrees (perfect separation, two models that
order the cases alike), which would claim certainty from a handful of cases. There the bounds come
from the independent pairs that one can form, min(positives, negatives) of them where each case
is a patient of its own: each is a trial
that succeeds with probability AUC, and bounds for one proportion or two paired ones apply.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.clustered import Codes, Groups, group
from components.statistics.intervals import clopper_pearson, normal_quantile
from components.statistics.paired import tango

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Area:
    """An AUC in [0, 1], or a difference of two in [-1, 1], with its bounds.

    Attributes:
      z, p: of a difference, the test of no difference, p two-sided; None for one AUC, and where
        the variance is zero, so that no test exists.
    """

    estimate: float
    lower: float
    upper: float
    positives: int
    negatives: int
    z: float | None = None
    p: float | None = None


def auc(
    scores: Floats, labels: Bools, *, alpha: float = 0.025, clusters: Codes | None = None
) -> Area:
    """AUC with DeLong's interval, in O(n log n).

    Args:
      scores: shape (n_cases,), larger means more likely positive; finite.
      labels: bool, shape (n_cases,), True for positive.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.
      clusters: int, shape (n_cases,): equal codes belong to one patient, whose cases may be of
        both classes; None where every case is independent, which singletons equal exactly.

    Raises:
      TooFewCases: fewer than two cases (or patients) in a class, so no variance exists.
      ValueError: a score is not finite, or the shapes differ.

    Source: DeLong et al. (1988), Biometrics 44:837-845; Sun and Xu (2014), IEEE Signal Processing
    Letters 21:1389-1393; with clusters Obuchowski (1997), Biometrics 53:567-578.
    """
    z = normal_quantile(alpha)
    placements = _placements(scores, labels)
    estimate = float(placements[labels].mean())
    error, pairs = _standard_error(placements, labels, clusters)
    if error == 0:
        # All scores tied is such an area too, at a half: rounded outwards.
        fewer, more = math.floor(estimate * pairs), math.ceil(estimate * pairs)
        lower = float(clopper_pearson(fewer, pairs, alpha=alpha).lower)
        upper = float(clopper_pearson(more, pairs, alpha=alpha).upper)
    else:
        lower, upper = max(0.0, estimate - z * error), min(1.0, estimate + z * error)
    return Area(estimate, lower, upper, *_sizes(labels))


def auc_difference(
    candidate: Floats,
    baseline: Floats,
    labels: Bools,
    *,
    alpha: float = 0.025,
    clusters: Codes | None = None,
) -> Area:
    """AUC of the candidate minus AUC of the baseline on the same cases, with DeLong's interval.

    Args, Raises, Source: as `auc`; `candidate` and `baseline` are scores in the same case order.
    """
    quantile = normal_quantile(alpha)
    ours, theirs = _placements(candidate, labels), _placements(baseline, labels)
    estimate = float(ours[labels].mean()) - float(theirs[labels].mean())
    error, pairs = _standard_error(ours - theirs, labels, clusters)
    if error == 0:
        worse, better = math.floor(estimate * pairs), math.ceil(estimate * pairs)
        lower = tango(max(worse, 0), max(-worse, 0), pairs, alpha=alpha).lower
        upper = tango(max(better, 0), max(-better, 0), pairs, alpha=alpha).upper
        return Area(estimate, lower, upper, *_sizes(labels))
    half, z = quantile * error, estimate / error
    lower, upper = max(-1.0, estimate - half), min(1.0, estimate + half)
    return Area(estimate, lower, upper, *_sizes(labels), z, math.erfc(abs(z) / math.sqrt(2)))


def _sizes(labels: Bools) -> tuple[int, int]:
    positives = int(np.count_nonzero(labels))
    return positives, labels.size - positives


def _placements(scores: Floats, labels: Bools) -> Floats:
    """For each positive the share of negatives below it, for each negative of positives above it.

    Ties count half. The mean over either class is the AUC.
    """
    if scores.shape != labels.shape or scores.ndim != 1 or labels.dtype != np.bool_:
        raise ValueError("auc: wanted scores and bool labels of one shape (n_cases,)")
    if not np.isfinite(scores).all():
        raise ValueError("auc: wanted finite scores; a NaN has no rank")
    positives, negatives = _sizes(labels)
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
    return placements


def _standard_error(placements: Floats, labels: Bools, clusters: Codes | None) -> tuple[float, int]:
    """Of the mean placement (or mean difference), and how many independent pairs one can form."""
    of_positives, of_negatives = placements[labels], placements[~labels]
    pairs = min(of_positives.size, of_negatives.size)
    groups = None if clusters is None else group(clusters, labels.size)
    if groups is None or groups.count == labels.size:
        variance = of_positives.var(ddof=1) / of_positives.size
        variance += of_negatives.var(ddof=1) / of_negatives.size
    else:
        variance, pairs = _clustered_variance(placements, labels, groups)
    # Constant placements can leave a rounding residue, which is no evidence of anything.
    return (math.sqrt(variance) if variance > 1e-28 else 0.0), pairs


def _clustered_variance(placements: Floats, labels: Bools, groups: Groups) -> tuple[float, int]:
    """Obuchowski's variance, from each patient's totals over both classes, and the pairs."""
    residuals, patients = [], []
    for side in (labels, ~labels):
        cases = groups.sums(side)
        deviation = groups.sums(np.where(side, placements, 0.0))
        deviation -= cases * placements[side].mean()
        residuals.append(deviation / np.count_nonzero(side))
        patients.append(int(np.count_nonzero(cases)))
    if min(patients) < 2:
        raise TooFewCases(
            f"auc: got positives of {patients[0]} and negatives of {patients[1]} patients, "
            "wanted 2 of each"
        )
    variance = sum(m / (m - 1) * float(r @ r) for m, r in zip(patients, residuals))
    shared = groups.count / (groups.count - 1) * float(residuals[0] @ residuals[1])
    # A pair takes two patients.
    return variance + 2 * shared, min(*patients, groups.count // 2)
