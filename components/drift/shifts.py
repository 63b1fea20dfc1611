"""How far each feature lies from the reference, how likely an accident that is, and what counts.

A shift is only called moved where both hold: it is above its limit, so it matters, and chance does
not explain it. What cannot be tested is `not enough data`, never steady.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from components.drift.divergence import (
    JENSEN_SHANNON,
    L_INFINITY,
    Counts,
    Floats,
    Limit,
    counts_of_words,
    jensen_shannon,
    jensen_shannon_of_numbers,
    l_infinity,
)
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Histogram, Shift
from components.drift.permutation import Measure, counts_by_quantile, permutation_p_value
from components.drift.sample import Sample
from components.records.errors import ConfigError
from components.statistics.multiplicity import holm

_DRAWS_PER_TEST = 2  # by which the smallest p value lies below what the correction asks for
_DRAWS_WITHIN_LIMIT = 999  # that shift cannot be moved, so its p value need not be small

_BINS = 20  # of a histogram
_TAIL = 0.005  # of the pooled cases, on either side, that share the outermost bins

_MEASURES: dict[str, Measure] = {JENSEN_SHANNON: jensen_shannon, L_INFINITY: l_infinity}


@dataclass(frozen=True)
class Shuffling:
    """How cases are shuffled, and how many are needed.

    Attributes:
      fewest: cases with a value that either sample needs.
      draws: at most, per feature.
    """

    generator: np.random.Generator
    draws: int
    fewest: int

    def p_value(
        self, reference: Counts, current: Counts, measure: Measure, *, matters: bool
    ) -> float:
        """Of the permutation test; a shift that does not matter gets fewer draws."""
        draws = self.draws if matters else min(self.draws, _DRAWS_WITHIN_LIMIT)
        return permutation_p_value(
            reference, current, measure, draws=draws, generator=self.generator
        )


def draws_for(tests: int, alpha: float) -> int:
    """Draws that let a p value fall below `alpha` after correction for so many tests."""
    return math.ceil(_DRAWS_PER_TEST * max(tests, 1) / alpha)


def shift_of_numbers(
    name: str, kind: str, reference: Floats, current: Floats, limit: Limit, shuffling: Shuffling
) -> Shift:
    """The shift of a number, undecided: its state is STEADY until `decide` has seen all of them.

    Args:
      reference, current: shape (n,) and (m,); what is not finite counts as unknown.

    Raises:
      ConfigError: the limit is of a measure for words.
    """
    if limit.measure != JENSEN_SHANNON:
        raise ConfigError(
            f"{name}: drift_comparator: got {limit.measure}, wanted jensen_shannon for a number"
        )
    before, now = reference[np.isfinite(reference)], current[np.isfinite(current)]
    cases = before.size, now.size
    if missing := _not_enough(*cases, current.size, shuffling.fewest):
        return undecided(name, kind, limit, cases, missing)
    value = jensen_shannon_of_numbers(before, now)
    p_value = shuffling.p_value(
        *counts_by_quantile(before, now), jensen_shannon, matters=value > limit.threshold
    )
    words = f"median {np.median(before):.3g} before, {np.median(now):.3g} now"
    words += _unlogged(now.size, current.size)
    picture = histogram_of_numbers(before, now)
    return undecided(name, kind, limit, cases, words, value, p_value, picture)


def shift_of_words(
    name: str,
    reference: npt.NDArray[Any],
    current: npt.NDArray[Any],
    limit: Limit,
    shuffling: Shuffling,
) -> Shift:
    """The shift of an attribute, undecided as above; None counts as unknown."""
    before, now = _known(reference), _known(current)
    cases = before.size, now.size
    if missing := _not_enough(*cases, current.size, shuffling.fewest):
        return undecided(name, "attribute", limit, cases, missing)
    values, counts, counts_now = counts_of_words(before, now)
    measure = _MEASURES[limit.measure]
    value = float(measure(counts, counts_now))
    p_value = shuffling.p_value(counts, counts_now, measure, matters=value > limit.threshold)
    picture = histogram_of_words(values, counts, counts_now)
    words = _largest_change(picture) + _unlogged(now.size, current.size)
    return undecided(name, "attribute", limit, cases, words, value, p_value, picture)


def decide(shifts: Sequence[Shift], alpha: float) -> tuple[Shift, ...]:
    """Calls moved what is above its limit and, with Holm over all that was tested, no accident.

    The chance that any undrifted feature is called moved is at most `alpha`. A shift within its
    limit enters the correction with p = 1, as nothing can make it moved: a p value that is only
    ever raised stays valid.
    """
    tested = [index for index, shift in enumerate(shifts) if shift.p_value is not None]
    adjusted = holm([shifts[i].p_value or 0.0 if matters(shifts[i]) else 1.0 for i in tested])
    decided = list(shifts)
    for index, p_value in zip(tested, adjusted):
        shift = shifts[index]
        if p_value <= alpha:
            decided[index] = replace(shift, state=MOVED)
        elif matters(shift):
            words = f"{shift.words}; above the limit, but chance may explain it"
            decided[index] = replace(shift, words=words)
    return tuple(decided)


def matters(shift: Shift) -> bool:
    return shift.value is not None and shift.value > shift.limit


def undecided(
    name: str,
    kind: str,
    limit: Limit,
    cases: tuple[int, int],
    words: str,
    value: float | None = None,
    p_value: float | None = None,
    histogram: Histogram | None = None,
) -> Shift:
    """STEADY until `decide` has seen all of them; without a value it stays NOT_ENOUGH."""
    state = NOT_ENOUGH if value is None else STEADY
    how_far = limit.measure, value, limit.threshold, p_value
    return Shift(name, kind, *how_far, state, *cases, words, histogram)


def _known(words: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return words[np.array([word is not None for word in words], dtype=bool)]


def _not_enough(before: int, now: int, served: int, fewest: int) -> str:
    """Why a feature cannot be tested; empty where it can."""
    if before and served and not now:
        return f"not logged: the reference has it in {before} cases, none of {served} served has"
    if before >= fewest and now >= fewest:
        return ""
    return f"{before} reference and {now} served cases have it, wanted {fewest} of each"


def _unlogged(now: int, served: int) -> str:
    return f", logged for {now} of {served} cases" if now < served else ""


def _largest_change(histogram: Histogram) -> str:
    changes = [abs(now - before) for before, now in zip(histogram.reference, histogram.current)]
    largest = int(np.argmax(changes))
    before, now = histogram.reference[largest], histogram.current[largest]
    return f"{histogram.names[largest]} {before:.1%} before, {now:.1%} now"


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


def shifts_of_images(
    reference: Sample, current: Sample, limits: Mapping[str, Limit], shuffling: Shuffling
) -> list[Shift]:
    """Undecided, in the schema's order; features that neither sample knows are left out."""
    shifts = []
    for name, limit in limits.items():
        before, now = reference.number(name), current.number(name)
        if np.isfinite(before).any() or np.isfinite(now).any():
            shifts.append(shift_of_numbers(name, "quality", before, now, limit, shuffling))
    return shifts


def shifts_of_attributes(
    reference: Sample, current: Sample, limits: Mapping[str, Limit], shuffling: Shuffling
) -> list[Shift]:
    """As `shifts_of_images`."""
    shifts = []
    for name, limit in limits.items():
        before, now = reference.word(name), current.word(name)
        if any(word is not None for word in (*before, *now)):
            shifts.append(shift_of_words(name, before, now, limit, shuffling))
    return shifts
