"""How far two samples lie apart, in TFDV's own terms, so that a limit in the schema means the same.

Jensen-Shannon divergence for numbers, L-infinity for words. From where on a shift matters say the
drift comparators of the schema, which TFDV reads as well. Nothing of TensorFlow is loaded.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.records.errors import ConfigError

JENSEN_SHANNON, L_INFINITY = "jensen_shannon", "l_infinity"

_COMPARATORS = {"jensen_shannon_divergence": JENSEN_SHANNON, "infinity_norm": L_INFINITY}


@dataclass(frozen=True)
class Limit:
    """Attributes:
    measure: jensen_shannon or l_infinity.
    threshold: in [0, 1]; a shift above it matters.
    """

    measure: str
    threshold: float


def read_limits(schema: Path) -> Mapping[str, Limit]:
    """The drift comparators of a TensorFlow Metadata schema in text form, by feature.

    A feature without one has no limit and is not compared. Loads no TensorFlow.

    Raises:
      ConfigError: the schema cannot be read, or a comparator is not one that both TFDV and this
        project compute, or has no threshold in [0, 1].
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        parsed = text_format.Parse(schema.read_text("utf-8"), schema_pb2.Schema())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ConfigError(
            f"{schema}: got {' '.join(str(error).split())}, wanted a schema in text form"
        ) from error
    return {
        feature.name: _limit(feature, schema)
        for feature in parsed.feature
        if feature.HasField("drift_comparator")
    }


def _limit(feature: Any, schema: Path) -> Limit:
    named = [field.name for field, _ in feature.drift_comparator.ListFields()]
    if len(named) != 1 or named[0] not in _COMPARATORS:
        raise ConfigError(
            f"{schema}: {feature.name}: drift_comparator: got {' and '.join(named) or 'nothing'}, "
            f"wanted one of {', '.join(_COMPARATORS)}"
        )
    comparator = getattr(feature.drift_comparator, named[0])
    # Written so that NaN is refused too.
    if not (comparator.HasField("threshold") and 0 <= comparator.threshold <= 1):
        got = comparator.threshold if comparator.HasField("threshold") else "nothing"
        raise ConfigError(
            f"{schema}: {feature.name}: {named[0]}.threshold: got {got}, wanted 0 to 1"
        )
    return Limit(_COMPARATORS[named[0]], comparator.threshold)


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
    first, second = _binned(reference), _binned(current)
    boundaries = np.union1d(first[0], second[0])
    points = [edges[0] for edges, _ in (first, second) if edges[0] == edges[-1]]
    pieces = (_cut(*binned, boundaries, points) for binned in (first, second))
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
    before, now = (Counter(map(str, words)) for words in (reference, current))
    names = sorted(before | now)

    def counted(words: Counter[str]) -> Counts:
        return np.array([words[name] for name in names], dtype=np.int64)

    return tuple(names), counted(before), counted(now)


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


def _cut(edges: Floats, counts: Floats, boundaries: Floats, points: list[Any]) -> Floats:
    """Counts between the boundaries, then at each point that is a bin of its own."""
    if edges[0] == edges[-1]:
        at_points = [counts[0] if point == edges[0] else 0.0 for point in points]
        return np.concatenate([np.zeros(boundaries.size - 1), at_points])
    cumulated = np.interp(boundaries, edges, np.concatenate([[0.0], np.cumsum(counts)]))
    return np.concatenate([np.diff(cumulated), np.zeros(len(points))])
