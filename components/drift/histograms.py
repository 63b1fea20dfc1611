"""Both distributions of a feature side by side, as a page draws them."""

from itertools import pairwise

import numpy as np

from components.drift.divergence import Counts, Floats
from components.drift.findings import Histogram

_BINS = 20
_TAIL = 0.005  # of the pooled cases, on either side, that share the outermost bins


def histogram_of_words(values: tuple[str, ...], reference: Counts, current: Counts) -> Histogram:
    """Shares of each value; counts of shape (n_values,)."""
    return Histogram(values, None, _shares(reference), _shares(current))


def histogram_of_numbers(reference: Floats, current: Floats) -> Histogram:
    """Shares in 20 bins, equal in width but for the outermost, which reach the extremes.

    Not TFDV's bins, which differ from sample to sample: a reader compares equal bins by eye.

    Args:
      reference, current: finite, shape (n,) and (m,), at least one each.
    """
    edges = _edges(np.concatenate([reference, current]))
    names = tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges))
    before, now = (np.histogram(values, edges)[0] for values in (reference, current))
    return Histogram(names, tuple(edges.tolist()), _shares(before), _shares(now))


def _edges(pooled: Floats) -> Floats:
    low, high = pooled.min(), pooled.max()
    if low == high:
        half = max(abs(low), 1.0) / 2
        return np.array([low - half, high + half])
    edges = np.linspace(np.quantile(pooled, _TAIL), np.quantile(pooled, 1 - _TAIL), _BINS + 1)
    edges[0], edges[-1] = low, high
    return np.unique(edges)


def _shares(counts: Counts) -> tuple[float, ...]:
    return tuple((counts / counts.sum()).tolist())
