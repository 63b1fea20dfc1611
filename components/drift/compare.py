"""Served cases against a model's own: one answer with a stated chance of a false alarm.

On undrifted cases the whole report calls anything moved with probability `alpha` at most: features,
score and rates are corrected together by Holm, and where labels allow control charts, the features
and the charts have half of it each.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from components.drift import causes, rates, shifts
from components.drift.causes import AttributeValue
from components.drift.divergence import JENSEN_SHANNON, Limit
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Chart, Drift, ObservedRate, Shift
from components.drift.sample import Sample
from components.drift.shifts import Shuffling

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
    charts = rates.control_charts(reference, served, alpha=alpha / 2, period_days=period_days)
    # How many points are judged follows from counts of labels alone, so it may choose the share.
    left = alpha / 2 if any(rates.judged(chart) for chart in charts) else alpha
    enough = len(current) >= min_cases
    places = causes.places_of(reference, current) if enough else []
    tests, generator = len(limits) * (1 + len(places)) + _OUTCOMES, np.random.default_rng(seed)
    shuffling = Shuffling(generator, shifts.draws_for(tests, left), min_cases)
    whole = _shifts(reference, current, served, limits, shuffling)
    places = [
        causes.compared_inside(place, reference, current, limits, shuffling) for place in places
    ]
    decided, places = causes.decide_together(whole, places, left)
    cases = causes.Cases(reference, current, limits, alpha, generator)
    reading = causes.read(decided, places, charts, cases)
    found = (*decided, *_moved_inside(places, reading.where))
    first, last = _span(current)
    return Drift(
        state=_state(found, charts, enough),
        cases=len(current),
        labelled=int((current.labels >= 0).sum()),
        first=first,
        last=last,
        alpha=alpha,
        shifts=found,
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
    scores = reference.scores, current.scores
    return [
        *shifts.shifts_of_images(reference, current, limits, shuffling),
        *shifts.shifts_of_attributes(reference, current, limits, shuffling),
        shifts.shift_of_numbers("score", "score", *scores, SCORE_LIMIT, shuffling),
        rates.shift_of_positive_rate(reference, current, shuffling.fewest),
        rates.shift_of_performance(rates.SENSITIVITY, reference, served),
        rates.shift_of_performance(rates.SPECIFICITY, reference, served),
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
    shares = {rates.POSITIVE_RATE: (rates.positive_share(current), rates.positive_share(reference))}
    for name in (rates.SENSITIVITY, rates.SPECIFICITY):
        shares[name] = rates.right_share(served, name), rates.right_share(reference, name)
    return tuple(
        rates.rate(f"{whose}{name}", share)
        for name, both in shares.items()
        for whose, share in zip(("", "reference_"), both)
    )


def _span(sample: Sample) -> tuple[str | None, str | None]:
    times = sample.at[~np.isnat(sample.at)]
    if not times.size:
        return None, None
    return f"{times.min()}Z", f"{times.max()}Z"


def _state(found: tuple[Shift, ...], charts: tuple[Chart, ...], enough: bool) -> str:
    if any(shift.state == MOVED for shift in found) or any(chart.signal for chart in charts):
        return MOVED
    tested = any(shift.p_value is not None for shift in found)
    return STEADY if enough and tested else NOT_ENOUGH
