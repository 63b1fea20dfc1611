"""Served cases against a model's own: one answer with a stated chance of a false alarm.

On undrifted cases the whole report calls anything moved with probability `alpha` at most: features,
score and rates are corrected together by Holm, and where labels allow control charts, the features
and the charts have half of it each.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from components.drift.causes import (
    AttributeValue,
    Cases,
    compared_inside,
    places_of,
    read,
    with_decisions,
)
from components.drift.divergence import JENSEN_SHANNON, Limit
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Chart, Drift, ObservedRate, Shift
from components.drift.rates import (
    POSITIVE_RATE,
    SENSITIVITY,
    SPECIFICITY,
    control_charts,
    judged,
    positive_share,
    rate,
    right_share,
    shift_of_performance,
    shift_of_positive_rate,
)
from components.drift.sample import Sample
from components.drift.shifts import (
    Shuffling,
    decide,
    draws_for,
    shift_of_numbers,
    shifts_of_attributes,
    shifts_of_images,
)

# Below the limits of the image features: the score is what decisions hang on. Of the model's two
# humps, of sick and of healthy cases, it takes about a third of one to cross to the other.
SCORE_LIMIT = Limit(JENSEN_SHANNON, 0.10)

_OUTCOMES = 4  # score, positive rate, sensitivity, specificity


def compare(
    reference: Sample,
    current: Sample,
    *,
    limits: Mapping[str, Limit],
    alpha: float,
    min_cases: int,
    history: Sample | None = None,
    period_days: int = 7,
    seed: int = 0,
) -> Drift:
    """What moved between the reference and the served cases, and what that points to.

    Args:
      reference: the cases behind the model, with its scores.
      current: the window that is judged.
      limits: by feature; one without a limit, or that no sample has, is not compared.
      alpha: chance of a false alarm anywhere in the report, in (0, 0.5).
      min_cases: that a feature needs in either sample; with fewer it is not enough data.
      history: all served cases of this model, for sensitivity and specificity; None takes current.
      period_days: length of a period of the control charts.
      seed: of the permutation tests; the same input gives the same report.

    Raises:
      ConfigError: a limit is of a measure that its feature cannot have.
      ValueError: alpha out of range.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha: got {alpha}, wanted a false-alarm rate between 0 and 0.5")
    served = current if history is None else history
    charts = control_charts(reference, served, alpha=alpha / 2, period_days=period_days)
    # How many points are judged follows from counts of labels alone, so it may choose the share.
    left = alpha / 2 if any(judged(chart) for chart in charts) else alpha
    enough = len(current) >= min_cases
    places = places_of(reference, current) if enough else []
    tests, generator = len(limits) * (1 + len(places)) + _OUTCOMES, np.random.default_rng(seed)
    shuffling = Shuffling(generator, draws_for(tests, left), min_cases)
    whole = _shifts(reference, current, served, limits, shuffling)
    places = [compared_inside(place, reference, current, limits, shuffling) for place in places]
    decided = decide([*whole, *(shift for place in places for shift in place.shifts)], left)
    shifts, places = decided[: len(whole)], with_decisions(places, decided[len(whole) :])
    reading = read(shifts, places, charts, Cases(reference, current, limits, alpha, generator))
    shifts = (*shifts, *_moved_inside(places, reading.where))
    first, last = _span(current)
    return Drift(
        state=_state(shifts, charts, enough),
        cases=len(current),
        labelled=int((current.labels >= 0).sum()),
        first=first,
        last=last,
        alpha=alpha,
        shifts=shifts,
        rates=_rates(reference, current, served),
        charts=charts,
        reading=reading,
    )


def _shifts(
    reference: Sample,
    current: Sample,
    served: Sample,
    limits: Mapping[str, Limit],
    shuffling: Shuffling,
) -> list[Shift]:
    """Of all cases, undecided."""
    scores = reference.scores, current.scores
    return [
        *shifts_of_images(reference, current, limits, shuffling),
        *shifts_of_attributes(reference, current, limits, shuffling),
        shift_of_numbers("score", "score", *scores, SCORE_LIMIT, shuffling),
        shift_of_positive_rate(reference, current, shuffling.fewest),
        shift_of_performance(SENSITIVITY, reference, served),
        shift_of_performance(SPECIFICITY, reference, served),
    ]


def _moved_inside(places: Sequence[AttributeValue], where: Collection[str]) -> list[Shift]:
    """What moved in the devices or sites that the reading names, by a name that says so.

    A fault of one device shows in every site that has it; those would only be noise. Where the
    reading names none that moved, all are listed.
    """
    moved = [place for place in places if place.moved]
    return [
        replace(shift, name=f"{shift.name} in {place}")
        for place in [place for place in moved if str(place) in where] or moved
        for shift in place.shifts
        if shift.state == MOVED
    ]


def _rates(reference: Sample, current: Sample, served: Sample) -> tuple[ObservedRate, ...]:
    """Each rate as served, then of the reference, whose name begins with `reference_`."""
    shares = {POSITIVE_RATE: (positive_share(current), positive_share(reference))}
    for name in (SENSITIVITY, SPECIFICITY):
        shares[name] = right_share(served, name), right_share(reference, name)
    return tuple(
        rate(f"{whose}{name}", share)
        for name, both in shares.items()
        for whose, share in zip(("", "reference_"), both)
    )


def _span(sample: Sample) -> tuple[str | None, str | None]:
    times = sample.at[~np.isnat(sample.at)]
    if not times.size:
        return None, None
    return f"{times.min()}Z", f"{times.max()}Z"


def _state(shifts: tuple[Shift, ...], charts: tuple[Chart, ...], enough: bool) -> str:
    if any(shift.state == MOVED for shift in shifts) or any(chart.signal for chart in charts):
        return MOVED
    tested = any(shift.p_value is not None for shift in shifts)
    return STEADY if enough and tested else NOT_ENOUGH
