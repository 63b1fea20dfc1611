"""How far two samples lie apart, in TFDV's own terms, so that a limit in the schema means the same.

Jensen-Shannon divergence for numbers, L-infinity for words. Nothing of TensorFlow is loaded.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

TFDV_BINS = 10  # of TFDV's standard histogram, which its comparators read


def jensen_shannon_of_numbers(reference: Floats, current: Floats) -> float:
    """Jensen-Shannon divergence of two samples of numbers, in [0, 1]; 0 where they are alike.

    Each sample is binned into ten bins of equal width between its own extremes; both histograms
    are then cut at all boundaries of either, a bin's cases spread evenly over its pieces.

    Args:
      reference, current: finite, shape (n,) and (m,), n and m at least 1.

    Raises:
      ValueError: a sample is empty or holds what is not finite.

    Source: Lin (1991), IEEE Transactions on Information Theory 37:145-151, base 2; binned as
    TFDV 1.16 does (anomalies/metrics.cc, JensenShannonDivergence). TFDV counts by a quantile
    sketch, so the figures agree to about 0.01.
    """
    pieces = _on_common_boundaries(_binned(reference), _binned(current))
    return float(jensen_shannon(*pieces))


def jensen_shannon(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Jensen-Shannon divergence in base 2 of counts or shares over the same bins, in [0, 1].

    Args:
      reference, current: at least 0, shape (..., n_bins), not all 0 in a row; they broadcast.

    Returns:
      Shape (...).
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    divergence = (_surprise(p, middle) + _surprise(q, middle)) / 2
    return np.clip(divergence, 0.0, 1.0)


def l_infinity(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Largest change of one value's share, in [0, 1], of counts over the same values.

    Args, Returns: as `jensen_shannon`. A value that only one sample has counts 0 in the other.

    Source: TFDV 1.16 (anomalies/metrics.cc, LInftyDistance).
    """
    return np.abs(_shares(reference) - _shares(current)).max(axis=-1)


def counts_of_words(
    reference: npt.NDArray[Any], current: npt.NDArray[Any]
) -> tuple[tuple[str, ...], Counts, Counts]:
    """The values of either sample, ascending, and how often each has them.

    Args:
      reference, current: text, shape (n,) and (m,), without unknown ones.
    """
    names = sorted({*map(str, reference), *map(str, current)})
    return tuple(names), _counted(reference, names), _counted(current, names)


def _counted(words: Iterable[Any], names: list[str]) -> Counts:
    place = {name: index for index, name in enumerate(names)}
    found = np.array([place[str(word)] for word in words], dtype=np.int64)
    return np.bincount(found, minlength=len(names)).astype(np.int64)


def _shares(counts: npt.ArrayLike) -> Floats:
    amounts = np.asarray(counts, dtype=np.float64)
    total = amounts.sum(axis=-1, keepdims=True)
    if not np.all(total > 0):
        raise ValueError("divergence: got a sample without cases, wanted at least one")
    return amounts / total


def _surprise(p: Floats, middle: Floats) -> Floats:
    """Kullback-Leibler divergence of p from the middle, which is positive wherever p is."""
    ratio = np.divide(p, middle, out=np.ones_like(middle), where=p > 0)
    return (p * np.log2(ratio)).sum(axis=-1)


def _binned(values: Floats) -> tuple[Floats, Floats]:
    """TFDV's standard histogram: boundaries, and counts; one value alone is a bin without width."""
    if not values.size or not np.all(np.isfinite(values)):
        raise ValueError("divergence: wanted at least one number, all of them finite")
    low, high = values.min(), values.max()
    if low == high:
        return np.array([low, high]), np.array([float(values.size)])
    edges = np.unique(np.linspace(low, high, TFDV_BINS + 1))
    edges[-1] = high  # rounding must not lose the largest
    # A bin holds its upper boundary and not its lower one, but for the first.
    below = np.searchsorted(np.sort(values), edges, side="right").astype(np.float64)
    below[0] = 0
    return edges, np.diff(below)


def _on_common_boundaries(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    boundaries = np.union1d(first[0], second[0])
    points = [edges[0] for edges, _ in (first, second) if edges[0] == edges[-1]]
    return _cut(*first, boundaries, points), _cut(*second, boundaries, points)


def _cut(edges: Floats, counts: Floats, boundaries: Floats, points: list[Any]) -> Floats:
    """Counts between the boundaries, then at each point that is a bin of its own."""
    if edges[0] == edges[-1]:
        at_points = [counts[0] if point == edges[0] else 0.0 for point in points]
        return np.concatenate([np.zeros(boundaries.size - 1), at_points])
    cumulated = np.interp(boundaries, edges, np.concatenate([[0.0], np.cumsum(counts)]))
    return np.concatenate([np.diff(cumulated), np.zeros(len(points))])
