"""Proportions and their change where several cases belong to one patient.

Images of one patient tend to be right or wrong together, so they carry less information than as
many independent cases. The counts are divided by the design effect, and the intervals for
independent cases are taken of what remains. A design effect below 1 is counted as 1: chance must
not claim more information than there are cases.

A few errors show little of how errors belong together, and by chance too little: with Rao and
Scott's design effect alone, lower bounds near a share of 1 lay above the truth in up to 9 % of
simulated case sets instead of 2.5 %. So one patient of the rare kind is added when the design
effect is taken: of a share one that is all wrong (and one that is all right), of a change one that
counts half as all gained and half as all lost. It matters while errors are few, and where there
are none it makes every patient count as one case.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.intervals import proportion
from components.statistics.paired import difference_of, paired_counts

# Codes up to so many times the cases, and so many more, are counted as they are.
SPARSE, SMALL = 16, 1024

Codes = NDArray[np.int_]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Groups:
    """Cases by patient: `codes` of shape (n_cases,) index `sizes`, where some may be empty."""

    codes: Codes
    sizes: Codes
    count: int

    def sums(self, values: NDArray) -> NDArray[np.float64]:
        """Total of the values of each patient."""
        return np.bincount(self.codes, weights=values).astype(np.float64)


@dataclass(frozen=True)
class ClusteredProportion:
    """A share in [0, 1] with its bounds.

    Attributes:
      clusters: how many patients the n cases belong to.
      effective_n: as many independent cases would tell as much.
    """

    estimate: float
    lower: float
    upper: float
    n: int
    clusters: int
    effective_n: float


@dataclass(frozen=True)
class ClusteredDifference:
    """Candidate minus baseline, in [-1, 1]; `gained`, `lost` and `n` count cases as they are."""

    estimate: float
    lower: float
    upper: float
    gained: int
    lost: int
    n: int
    clusters: int
    effective_n: float


def clustered_proportion(
    right: Bools, clusters: Codes, *, alpha: float = 0.025, method: str = "clopper_pearson"
) -> ClusteredProportion:
    """Interval for the share of right cases, from effective counts.

    Args:
      right: bool, shape (n_cases,).
      clusters: int, shape (n_cases,): equal codes belong to one patient.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.
      method: one of PROPORTION_METHODS.

    Raises:
      TooFewCases: no case, so no interval exists.
      ValueError: shapes or types are wrong, alpha out of range, or the method is unknown.

    Source: Rao and Scott (1992), Biometrics 48:577-585.
    """
    if right.dtype != np.bool_:
        raise ValueError(f"clustered: got {right.dtype}, wanted a bool array")
    n, count = right.size, int(np.count_nonzero(right))
    size = effective_size(right, clusters)
    # Whole where independent, so that the bounds are those of the cases, to the bit.
    successes = count if size == n else size * (count / n)
    bounds = proportion(successes, size, alpha=alpha, method=method)
    patients = group(clusters, n).count
    return ClusteredProportion(
        count / n, float(bounds.lower), float(bounds.upper), n, patients, size
    )


def clustered_difference(
    candidate: Bools,
    baseline: Bools,
    clusters: Codes,
    *,
    alpha: float = 0.025,
    method: str = "tango",
) -> ClusteredDifference:
    """Interval for the paired change of the share of right cases, from effective counts.

    Args:
      candidate, baseline: bool (right or wrong), shape (n_cases,), same case order.
      method: one of PAIRED_METHODS.
      clusters, alpha: as in `clustered_proportion`.

    Raises, Source: as `clustered_proportion`.
    """
    both, gained, lost, neither = paired_counts(candidate, baseline)
    n = candidate.size
    size = effective_size(candidate.astype(np.int8) - baseline.astype(np.int8), clusters)
    kept = size / n
    counts = (both * kept, gained * kept, lost * kept, neither * kept)
    paired = difference_of(*counts, alpha=alpha, method=method)
    bounds, patients = (paired.lower, paired.upper), group(clusters, n).count
    return ClusteredDifference((gained - lost) / n, *bounds, gained, lost, n, patients, size)


def effective_size(values: NDArray, clusters: Codes) -> float:
    """How many independent cases would tell as much about the mean, with one patient added.

    Where all values are equal, as if all cases of a patient were one: the number of patients, or
    fewer where some have more cases than others (Kish's n^2 over the sum of squared sizes).

    Args, Raises: as `design_effect`.

    Returns:
      At least 1, at most n / design effect, and exactly n where every cluster has one case.
    """
    groups = group(clusters, values.size)
    added, ends = (1.0, (0.0, 1.0)) if values.dtype == np.bool_ else (0.5, (-1.0, 1.0))
    effect = max(_inflation(values, groups, 0.0, ends), _inflation(values, groups, added, ends))
    return max(1.0, values.size / effect)


def design_effect(values: NDArray, clusters: Codes) -> float:
    """Variance of the mean of clustered values over that of as many independent ones, at least 1.

    Exactly 1 where every cluster has one case: both variances are the unbiased ones, hence n - 1
    where Rao and Scott have n. Where all values are equal, nothing shows how they belong together,
    and full correlation is taken.

    Args:
      values: bool (right or wrong) or -1, 0, 1 (a paired change), shape (n_cases,).
      clusters: int, shape (n_cases,): equal codes belong to one patient.

    Raises:
      TooFewCases: no case.
      ValueError: the shapes differ, or the codes are not integers.

    Source: Rao and Scott (1992), Biometrics 48:577-585, of the ratio estimator; full correlation
    as in Kish (1965), Survey Sampling.
    """
    return _inflation(values, group(clusters, values.size), 0.0, ())


def _inflation(values: NDArray, groups: Groups, added: float, ends: tuple[float, ...]) -> float:
    """The design effect with, per end, a patient of weight `added` whose values all are that end.

    Such a patient has as many cases as one meets by drawing a case and asking for its patient.
    """
    n = values.size
    if groups.count == n:
        return 1.0
    size = float(groups.sizes @ groups.sizes) / n
    if groups.count == 1 or values.min() == values.max():
        return size
    x = values.astype(np.float64)
    totals, end = groups.sums(x), np.array(ends)
    cases, patients = n + added * size * end.size, groups.count + added * end.size
    mean = float(totals.sum() + added * size * end.sum()) / cases
    squares = float(x @ x + added * size * (end @ end))
    independent = (squares / cases - mean**2) / (cases - 1)
    residuals, ends_off = totals - groups.sizes * mean, size * (end - mean)
    # Squared, then added: a dot product may fuse the two, and round otherwise for swapped models.
    spread = float(residuals @ residuals + added * np.square(ends_off).sum())
    return max(1.0, patients / (patients - 1) * spread / cases**2 / independent)


def mean_variance(values: NDArray[np.float64], groups: Groups) -> float:
    """Variance of the mean of values that belong together, by the totals of two or more groups."""
    residuals = groups.sums(values) - groups.sizes * values.mean()
    inflation = groups.count / (groups.count - 1)
    return float(inflation * (residuals @ residuals)) / values.size**2


def group(clusters: Codes, n: int) -> Groups:
    """The codes checked and counted; Raises as `design_effect`."""
    if clusters.shape != (n,) or not np.issubdtype(clusters.dtype, np.integer):
        raise ValueError(
            f"clusters: got {clusters.dtype} of shape {clusters.shape}, wanted integers, ({n},)"
        )
    if n == 0:
        raise TooFewCases("clusters: got no case, wanted at least one")
    codes = clusters.astype(np.int64)
    # Codes count memory; few cases out of many patients are numbered afresh.
    if codes.min() < 0 or codes.max() > SPARSE * n + SMALL:
        codes = np.unique(codes, return_inverse=True)[1]
    sizes = np.bincount(codes)
    return Groups(codes, sizes, int(np.count_nonzero(sizes)))
