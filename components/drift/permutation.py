"""Is a difference an accident? Tests that are exact at every sample size.

TFDV's fixed limits have no stated error rate, and sampling alone keeps a divergence above 0, the
more the fewer cases there are. Here the labels `reference` and `current` are shuffled among
the pooled cases: where nothing drifted, every deal is as likely as the one that was seen. Cases
count as independent; where several images belong to one patient the tests say too often that
something moved, which the limits, far above such accidents, make up for.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from components.drift.divergence import Counts, Floats, jensen_shannon

Measure = Callable[[npt.ArrayLike, npt.ArrayLike], Floats]

_BINS = 10  # most bins of a number
_CASES_PER_BIN = 5  # of the smaller sample, on average
_ENOUGH_EXCEEDANCES = 20  # a p value known this well needs no further draw
_FIRST_BATCH = 60
_LARGEST_BATCH = 4000
_NO_CHANCE = 1e-9  # that any draw would differ as much: then none is made


def permutation_p_value(
    reference: Counts,
    current: Counts,
    measure: Measure,
    *,
    draws: int,
    generator: np.random.Generator,
) -> float:
    """How often cases that are shuffled differ at least as much, in (0, 1].

    Only the counts matter, so a deal is one multivariate hypergeometric draw.

    Args:
      reference, current: cases by bin or value, shape (n_bins,), at least one case each.
      measure: of two such arrays of shape (..., n_bins); larger means further apart.
      draws: at most; the smallest p value there can be is 1 / (draws + 1).

    Source: Besag and Clifford (1991), Biometrika 78:301-304: drawing stops at the 20th draw that
    differs as much, which keeps the p value valid. Where no draw can, none is made.
    """
    pooled = reference + current
    size = int(current.sum())
    seen = float(measure(reference, current)) - 1e-12  # rounding must not part equals
    if measure is jensen_shannon and draws * _chance_bound(reference, current, seen) < _NO_CHANCE:
        return 1 / (draws + 1)
    exceedances, drawn, batch = 0, 0, _FIRST_BATCH
    while drawn < draws:
        batch = min(batch, draws - drawn)
        dealt = generator.multivariate_hypergeometric(pooled, size, batch, method="marginals")
        reached = exceedances + np.cumsum(measure(pooled - dealt, dealt) >= seen)
        if reached[-1] >= _ENOUGH_EXCEEDANCES:
            last = int(np.searchsorted(reached, _ENOUGH_EXCEEDANCES)) + 1
            return _ENOUGH_EXCEEDANCES / (drawn + last)
        exceedances, drawn = int(reached[-1]), drawn + batch
        batch = min(2 * batch, _LARGEST_BATCH)
    return (exceedances + 1) / (drawn + 1)


def _chance_bound(reference: Counts, current: Counts, divergence: float) -> float:
    """No deal reaches this Jensen-Shannon divergence more often; far above the truth.

    A deal has the probability prod C(K_i, c_i) / C(N, n), at most (N + 1) 2^(-N I), I being the
    information in bits that a case's bin gives about its sample (method of types: Cover and Thomas
    2006, chapter 11). N I is at least 2 n times the divergence, n being the smaller sample, as the
    divergence is concave in the samples' weights; and there are at most (n + 1)^(bins - 1) deals.
    """
    sizes = int(reference.sum()), int(current.sum())
    smaller, bins = min(sizes), reference.size
    log2_deals = (bins - 1) * math.log2(smaller + 1) + math.log2(sum(sizes) + 1)
    return float(2.0 ** min(0.0, log2_deals - 2 * smaller * divergence))


def counts_by_quantile(reference: Floats, current: Floats) -> tuple[Counts, Counts]:
    """Cases of both samples in bins that hold about equally many of the pooled cases.

    TFDV's bins hang on each sample's extremes, so one odd image can hide a shift or feign one;
    quantiles of the pool don't change when its cases are shuffled, and no value stretches
    them. At most ten bins, of about 5 cases of the smaller sample or more.
    """
    pooled = np.concatenate([reference, current])
    smaller = min(reference.size, current.size)
    bins = max(2, min(_BINS, smaller // _CASES_PER_BIN))
    edges = _quantile_edges(np.sort(pooled), bins)
    before, now = _counted(reference, edges), _counted(current, edges)
    filled = before + now > 0
    return before[filled], now[filled]


def fisher_two_sided(x: int, n: int, x_reference: int, n_reference: int) -> float:
    """How often two equal proportions give a table as unlikely as x of n against the reference.

    Source: Fisher's exact test, by the probability of the table, as R's fisher.test.
    """
    support, log_probability = _hypergeometric(x + x_reference, n, n_reference)
    seen = log_probability[x - support[0]]
    # As in R: equally likely tables count, whatever rounding did to them.
    return _total(log_probability[log_probability <= seen + 1e-7])


def fisher_lower(x: int, n: int, x_reference: int, n_reference: int) -> float:
    """How often equal proportions give x of n or fewer, given what both samples hold together."""
    support, log_probability = _hypergeometric(x + x_reference, n, n_reference)
    return _total(log_probability[support <= x])


def _hypergeometric(right: int, n: int, n_reference: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Counts of right ones that n cases may hold, and their log probabilities."""
    from scipy.special import gammaln

    def log_ways(total: int, chosen: npt.NDArray[np.int64]) -> Floats:
        ways = gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
        return np.asarray(ways, dtype=np.float64)

    support = np.arange(max(0, right - n_reference), min(right, n) + 1)
    everything = log_ways(n + n_reference, np.array([right]))
    return support, log_ways(n, support) + log_ways(n_reference, right - support) - everything


def _total(log_probability: Floats) -> float:
    return min(1.0, float(np.exp(log_probability).sum()))


def _quantile_edges(pooled: Floats, bins: int) -> Floats:
    """Upper edges of all bins but the last, of ascending values."""
    ranks = np.ceil(np.arange(1, bins) * pooled.size / bins).astype(np.int64) - 1
    edges = np.unique(pooled[ranks])
    first, after = (np.searchsorted(pooled, edges, side=side) for side in ("left", "right"))
    filled = (after - first >= pooled.size / bins) & (first > 0)
    return np.union1d(edges, pooled[first[filled] - 1])


def _counted(values: Floats, edges: Floats) -> Counts:
    """A bin holds its upper edge, so that a value that many cases share is not split off."""
    place = np.searchsorted(edges, values, side="left")
    return np.bincount(place, minlength=edges.size + 1).astype(np.int64)
