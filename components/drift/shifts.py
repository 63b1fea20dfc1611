"""How far each feature lies from the reference, how likely an accident that is, and what counts.

A shift is only called moved where both hold: it is above its limit, so it matters, and chance does
not explain it. What cannot be tested is `not enough data`, never steady.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from components.drift.divergence import (
    Counts,
    Floats,
    counts_of_words,
    jensen_shannon,
    jensen_shannon_of_numbers,
    l_infinity,
)
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Histogram, Shift
from components.drift.histograms import histogram_of_numbers, histogram_of_words
from components.drift.limits import JENSEN_SHANNON, L_INFINITY, Limit
from components.drift.permutation import Measure, counts_by_quantile, permutation_p_value
from components.records.errors import ConfigError
from components.statistics.multiplicity import holm

_DRAWS_PER_TEST = 2  # by which the smallest p value lies below what the correction asks for
_DRAWS_WITHIN_LIMIT = 999  # that shift cannot be moved, so its p value need not be small

_MEASURES: dict[str, Measure] = {JENSEN_SHANNON: jensen_shannon, L_INFINITY: l_infinity}


@dataclass(frozen=True)
class Dealing:
    """How cases are dealt out anew, and how many are needed.

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
    name: str, kind: str, reference: Floats, current: Floats, limit: Limit, dealing: Dealing
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
    if missing := _not_enough(before.size, now.size, current.size, dealing.fewest):
        return _untested(name, kind, limit, before.size, now.size, missing)
    value = jensen_shannon_of_numbers(before, now)
    p_value = dealing.p_value(
        *counts_by_quantile(before, now), jensen_shannon, matters=value > limit.threshold
    )
    words = f"median {np.median(before):.3g} before, {np.median(now):.3g} now"
    picture = histogram_of_numbers(before, now)
    shift = _tested(name, kind, limit, value, p_value, before.size, now.size, picture)
    return replace(shift, words=words + _unlogged(now.size, current.size))


def shift_of_words(
    name: str,
    reference: npt.NDArray[Any],
    current: npt.NDArray[Any],
    limit: Limit,
    dealing: Dealing,
) -> Shift:
    """The shift of an attribute, undecided as above; None counts as unknown."""
    before, now = _known(reference), _known(current)
    if missing := _not_enough(before.size, now.size, current.size, dealing.fewest):
        return _untested(name, "attribute", limit, before.size, now.size, missing)
    values, counts, counts_now = counts_of_words(before, now)
    measure = _MEASURES[limit.measure]
    value = float(measure(counts, counts_now))
    p_value = dealing.p_value(counts, counts_now, measure, matters=value > limit.threshold)
    picture = histogram_of_words(values, counts, counts_now)
    shift = _tested(name, "attribute", limit, value, p_value, before.size, now.size, picture)
    return replace(shift, words=_largest_change(picture) + _unlogged(now.size, current.size))


def decide(shifts: Sequence[Shift], alpha: float) -> tuple[Shift, ...]:
    """Calls moved what is above its limit and, with Holm over all that was tested, no accident.

    The chance that any undrifted feature is called moved is at most `alpha`. A shift within its
    limit enters the correction with p = 1, as nothing can make it moved: a p value that is only
    ever raised stays valid.
    """
    tested = [index for index, shift in enumerate(shifts) if shift.p_value is not None]
    adjusted = holm([_counting(shifts[index]) for index in tested])
    decided = list(shifts)
    for index, p_value in zip(tested, adjusted):
        decided[index] = _decided(shifts[index], float(p_value) <= alpha)
    return tuple(decided)


def matters(shift: Shift) -> bool:
    return shift.value is not None and shift.value > shift.limit


def _counting(shift: Shift) -> float:
    return shift.p_value if matters(shift) and shift.p_value is not None else 1.0


def _decided(shift: Shift, no_accident: bool) -> Shift:
    if no_accident:
        return replace(shift, state=MOVED)
    if matters(shift):
        words = f"{shift.words}; above the limit, but chance may explain it"
        return replace(shift, state=STEADY, words=words)
    return shift


def _tested(
    name: str,
    kind: str,
    limit: Limit,
    value: float,
    p_value: float,
    before: int,
    now: int,
    histogram: Histogram,
) -> Shift:
    return Shift(
        name=name,
        kind=kind,
        measure=limit.measure,
        value=value,
        limit=limit.threshold,
        p_value=p_value,
        state=STEADY,
        reference_cases=before,
        current_cases=now,
        words="",
        histogram=histogram,
    )


def _untested(name: str, kind: str, limit: Limit, before: int, now: int, words: str) -> Shift:
    return Shift(
        name=name,
        kind=kind,
        measure=limit.measure,
        value=None,
        limit=limit.threshold,
        p_value=None,
        state=NOT_ENOUGH,
        reference_cases=before,
        current_cases=now,
        words=words,
    )


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
