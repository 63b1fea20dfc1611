"""Do the scores mean what they say? Of the cases scored 0.8, are 80 % positive?

All scores here are probabilities in [0, 1]. Where several cases belong to one patient, `clusters`
(int codes) makes the intervals follow the patients, as in clustered.py.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.clustered import Codes, group, mean_variance
from components.statistics.intervals import clopper_pearson, normal_quantile

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class MeanEstimate:
    """A mean over n cases with its bounds."""

    estimate: float
    lower: float
    upper: float
    n: int


@dataclass(frozen=True, eq=False)
class Reliability:
    """The points of a calibration curve, one per bin that holds a case, by rising score.

    Attributes:
      mean_score, observed_share: in [0, 1], shape (n_bins,); equal where calibrated.
      n: cases in the bin.
    """

    mean_score: Floats
    observed_share: Floats
    n: NDArray[np.int_]


def brier(
    scores: Floats, labels: Bools, *, alpha: float = 0.025, clusters: Codes | None = None
) -> MeanEstimate:
    """Brier score, the mean squared error of the scores, in [0, 1], lower is better.

    Args:
      scores: shape (n_cases,), in [0, 1].
      labels: bool, shape (n_cases,), True for positive.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.
      clusters: int, shape (n_cases,): equal codes belong to one patient; None if independent.

    Raises:
      TooFewCases: fewer than two cases (or patients), so no variance exists.
      ValueError: a score is outside [0, 1], or the shapes differ.

    Source: Brier (1950), Monthly Weather Review 78:1-3; normal interval for a mean.
    """
    errors = _squared_errors(scores, labels)
    return mean_interval(errors, 0.0, 1.0, alpha=alpha, clusters=clusters)


def brier_difference(
    candidate: Floats,
    baseline: Floats,
    labels: Bools,
    *,
    alpha: float = 0.025,
    clusters: Codes | None = None,
) -> MeanEstimate:
    """Brier score of the candidate minus the baseline's, in [-1, 1]; above 0 is worse.

    Args, Raises: as `brier`; both models' scores in the same case order.
    """
    errors = _squared_errors(candidate, labels) - _squared_errors(baseline, labels)
    return mean_interval(errors, -1.0, 1.0, alpha=alpha, clusters=clusters)


def expected_calibration_error(
    scores: Floats,
    labels: Bools,
    *,
    alpha: float = 0.025,
    bins: int = 15,
    clusters: Codes | None = None,
) -> MeanEstimate:
    """Mean distance of score and observed share over bins of equally many cases, in [0, 1].

    Lower is better, but it never reaches 0 by chance: even a calibrated model has about
    sqrt(bins / n) times a quarter. So it compares models on the same cases better than it judges
    one against a limit. The interval holds the bins and the sign of the distance in each fixed
    (delta method); where a bin's distance is near 0 it is too high and too narrow.

    Args:
      bins: of equal mass; equal scores share a bin, so that there can be fewer.
      scores, labels, alpha, clusters: as in `brier`.

    Raises: as `brier`; ValueError for less than one bin.

    Source: Naeini et al. (2015), AAAI 29:2901-2907, who name it; equal-mass bins, which have the
    smaller bias, as in Nguyen and O'Connor (2015), EMNLP 1587-1598, and Roelofs et al. (2022),
    AISTATS, PMLR 151:4036-4054.
    """
    gaps = _signed_gaps(scores, labels, bins)
    return mean_interval(gaps, -1.0, 1.0, floor=0.0, alpha=alpha, clusters=clusters)


def expected_calibration_error_difference(
    candidate: Floats,
    baseline: Floats,
    labels: Bools,
    *,
    alpha: float = 0.025,
    bins: int = 15,
    clusters: Codes | None = None,
) -> MeanEstimate:
    """Expected calibration error of the candidate minus the baseline's, in [-1, 1].

    Above 0 is worse. Each model has its own bins; the biases of both largely cancel.

    Args, Raises, Source: as `expected_calibration_error`.
    """
    gaps = _signed_gaps(candidate, labels, bins) - _signed_gaps(baseline, labels, bins)
    return mean_interval(gaps, -2.0, 2.0, floor=-1.0, ceiling=1.0, alpha=alpha, clusters=clusters)


def reliability(scores: Floats, labels: Bools, *, bins: int = 15) -> Reliability:
    """The calibration curve, in the bins of `expected_calibration_error`; Raises as there."""
    check_scores(scores, labels)
    codes = _equal_mass(scores, bins)
    n = np.bincount(codes)
    filled = n > 0
    mean_score = np.bincount(codes, weights=scores)[filled] / n[filled]
    observed = np.bincount(codes, weights=labels)[filled] / n[filled]
    return Reliability(mean_score, observed, n[filled])


def check_scores(scores: Floats, labels: Bools) -> None:
    """Raises as `brier`, but for fewer than two cases only where there is none."""
    if scores.shape != labels.shape or scores.ndim != 1 or labels.dtype != np.bool_:
        raise ValueError("calibration: wanted scores and bool labels of one shape (n_cases,)")
    if scores.size == 0:
        raise TooFewCases("calibration: got no case, wanted at least one")
    # Written so that NaN is refused too.
    if not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError("calibration: wanted scores in [0, 1]; only probabilities are calibrated")


def _squared_errors(scores: Floats, labels: Bools) -> Floats:
    check_scores(scores, labels)
    return np.square(scores - labels)


def _signed_gaps(scores: Floats, labels: Bools, bins: int) -> Floats:
    """Score minus label, signed by bin so that the mean is the expected calibration error."""
    check_scores(scores, labels)
    codes = _equal_mass(scores, bins)
    gaps = scores - labels
    # Rounded, as the sign of what is 0 but for rounding would hang on the order of cases.
    return gaps * np.sign(np.bincount(codes, weights=gaps).round(9))[codes]


def _equal_mass(scores: Floats, bins: int) -> NDArray[np.int_]:
    """The bin of each case; by the score alone, so that the order of cases does not matter."""
    if bins < 1:
        raise ValueError(f"calibration: got {bins} bins, wanted at least 1")
    edges = np.quantile(scores, np.arange(1, bins) / bins)
    return np.searchsorted(edges, scores, side="left")


def mean_interval(
    values: Floats,
    smallest: float,
    largest: float,
    *,
    floor: float | None = None,
    ceiling: float | None = None,
    alpha: float,
    clusters: Codes | None,
) -> MeanEstimate:
    """Normal interval for the mean of values that lie in [smallest, largest] by nature.

    Values that are all equal have no variance, which would claim certainty. There the share of
    cases that may differ is bounded as that of an event never seen, and any may differ to the end
    of the range. Raises as `brier`.

    Args:
      floor, ceiling: of the mean, where it has nearer ones than the values.
    """
    z, n = normal_quantile(alpha), values.size
    groups = None if clusters is None else group(clusters, n)
    independent = n if groups is None else groups.count
    if independent < 2:
        raise TooFewCases(f"calibration: got {independent} independent cases, wanted 2 or more")
    estimate = float(values.mean())
    if values.min() == values.max():
        estimate = float(values[0])
        differing = float(clopper_pearson(0, independent, alpha=alpha).upper)
        lower = estimate - (estimate - smallest) * differing
        upper = estimate + (largest - estimate) * differing
    else:
        if groups is None or groups.count == n:
            variance = float(values.var(ddof=1)) / n
        else:
            variance = mean_variance(values, groups)
        half = z * math.sqrt(variance)
        lower, upper = estimate - half, estimate + half
    lower = max(lower, smallest if floor is None else floor)
    upper = min(upper, largest if ceiling is None else ceiling)
    return MeanEstimate(estimate, lower, upper, n)
