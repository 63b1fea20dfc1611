"""What the features that moved point to: other patients, a new source, or how images are made.

A season, a new vendor and a broken scanner can raise the same alarm, and each wants another
answer. They differ in which features move and where, so the same comparison is made inside each
device and each site. A fault of one scanner is a shift inside that scanner, which the other
scanners' cases dilute in the whole; a season is none, even where it changes the mix of scanners; a
new vendor is a value that the reference does not know. The words say "points to": what is not
logged cannot be distinguished, and a cause that nobody thought of looks like one of these.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from components.drift.divergence import Limit
from components.drift.findings import MOVED, NOT_ENOUGH, Chart, DriftReading, Shift
from components.drift.rates import SENSITIVITY, SPECIFICITY
from components.drift.sample import Sample
from components.drift.shifts import (
    Shuffling,
    decide,
    draws_for,
    shifts_of_attributes,
    shifts_of_images,
)

NOTHING, MIXED = "nothing", "mixed"
POPULATION, NEW_SOURCE, ACQUISITION = "population", "new_source", "acquisition"
SCORES_ONLY, PERFORMANCE = "scores_only", "performance"

_RIGHT = (SENSITIVITY, SPECIFICITY)

PLACES = ("device", "site")  # attributes that say where an image was made

FEWEST_INSIDE = 30  # cases of a place, in either sample: with fewer, nothing is concluded

# A value is new where the reference has hardly any case of it and the served cases have some.
_HARDLY = 0.005
_SOME = 0.03
_FEWEST_OF_NEW = 10


@dataclass(frozen=True)
class AttributeValue:
    """One value of an attribute that says where.

    Attributes:
      cases: served ones.
      new: the reference hardly knows it, so its images are compared with the whole reference.
      shifts: of the quality features inside it; none where there are too few cases.
    """

    attribute: str
    value: str
    cases: int
    new: bool
    shifts: tuple[Shift, ...]

    @property
    def moved(self) -> tuple[str, ...]:
        """Quality features."""
        return tuple(shift.name for shift in self.shifts if shift.state == MOVED)

    @property
    def at_fault(self) -> bool:
        return self.new or bool(self.moved)

    @property
    def furthest(self) -> float:
        """Of the quality features that moved, in [0, 1]; 0 where none did."""
        moved = (shift.value or 0.0 for shift in self.shifts if shift.state == MOVED)
        return max(moved, default=0.0)

    def __str__(self) -> str:
        return f"{self.attribute}={self.value}"


def places_of(reference: Sample, current: Sample) -> list[AttributeValue]:
    """Every device and site of the served cases, not compared yet.

    An attribute that the reference does not log says nothing: all its values would be new.
    """
    places = []
    for attribute in PLACES:
        before, now = reference.word(attribute), current.word(attribute)
        if all(word is None for word in before):
            continue
        for value in sorted({word for word in now if word is not None}):
            share, cases = (now == value).mean(), int((now == value).sum())
            new = (before == value).mean() < _HARDLY and share >= _SOME and cases >= _FEWEST_OF_NEW
            places.append(AttributeValue(attribute, value, cases, bool(new), ()))
    return places


def compared_inside(
    place: AttributeValue,
    reference: Sample,
    current: Sample,
    limits: Mapping[str, Limit],
    shuffling: Shuffling,
) -> AttributeValue:
    known = reference.words[place.attribute] == place.value
    before = reference if place.new else reference.where(known)
    served = current.where(current.words[place.attribute] == place.value)
    shifts = shifts_of_images(before, served, limits, replace(shuffling, fewest=FEWEST_INSIDE))
    return replace(place, shifts=tuple(shift for shift in shifts if shift.p_value is not None))


def decide_together(
    whole: Sequence[Shift], places: Sequence[AttributeValue], alpha: float
) -> tuple[tuple[Shift, ...], list[AttributeValue]]:
    """Decides the shifts of all cases and those inside places by one correction."""
    decided = decide([*whole, *(shift for place in places for shift in place.shifts)], alpha)
    left = iter(decided[len(whole) :])
    inside = [replace(place, shifts=tuple(islice(left, len(place.shifts)))) for place in places]
    return decided[: len(whole)], inside


@dataclass(frozen=True)
class Cases:
    """Both samples, to ask further once something moved.

    What it answers only tells causes apart, so it has an `alpha` of its own.
    """

    reference: Sample
    current: Sample
    limits: Mapping[str, Limit]
    alpha: float
    generator: np.random.Generator

    def moved_outside(self, places: Sequence[AttributeValue]) -> tuple[str, ...]:
        """Quality features and attributes that also moved outside these, all of one attribute."""
        attribute = places[0].attribute
        values = [place.value for place in places]
        before, now = (
            sample.where(~np.isin(sample.words[attribute], values))
            for sample in (self.reference, self.current)
        )
        shuffling = self._shuffling(len(self.limits))
        others = {name: limit for name, limit in self.limits.items() if name != attribute}
        images = shifts_of_images(before, now, self.limits, shuffling)
        return self._moved([*images, *shifts_of_attributes(before, now, others, shuffling)])

    def moved_by_mix(self, place: AttributeValue) -> bool:
        """Whether a known place's images moved only as it uses its devices, or sites, otherwise.

        Then no device inside the site moved, of those with cases enough to tell.
        """
        before, now = (
            sample.where(sample.words[place.attribute] == place.value)
            for sample in (self.reference, self.current)
        )
        parts = [part for part in places_of(before, now) if part.attribute != place.attribute]
        shuffling = self._shuffling(len(parts) * len(self.limits))
        compared = [compared_inside(part, before, now, self.limits, shuffling) for part in parts]
        shifts = [shift for part in compared for shift in part.shifts]
        return bool(shifts) and not self._moved(shifts)

    def _shuffling(self, tests: int) -> Shuffling:
        return Shuffling(self.generator, draws_for(tests, self.alpha), FEWEST_INSIDE)

    def _moved(self, shifts: Sequence[Shift]) -> tuple[str, ...]:
        decided = decide(shifts, self.alpha)
        return tuple(shift.name for shift in decided if shift.state == MOVED)


def read(
    shifts: Sequence[Shift], places: Sequence[AttributeValue], charts: Sequence[Chart], cases: Cases
) -> DriftReading:
    """What moved, put together.

    Args:
      shifts: of all cases, decided.
      places: with their shifts, decided.
      cases: asked further only where something moved.
    """
    fell = _fell(shifts, charts)
    left_out = _not_compared(shifts)
    if not fell and not _names(shifts) and not any(place.moved for place in places):
        if all(shift.state == NOT_ENOUGH for shift in shifts if shift.name not in _RIGHT):
            return DriftReading(NOTHING, (), "Not enough data to say whether anything moved.")
        return DriftReading(NOTHING, (), f"Nothing moved that matters.{_unknown(places)}{left_out}")
    known = [place for place in places if place.moved and not place.new]
    mixes = [place for place in known if cases.moved_by_mix(place)]
    at_fault = _at_fault([place for place in places if place not in mixes])
    outside = cases.moved_outside(at_fault) if at_fault else ()
    clauses = _inputs(shifts, places, at_fault, outside)
    where = at_fault
    if mixes and not clauses:
        clauses[POPULATION] = f"another mix of cases inside {_and(mixes)}"
        where = mixes
    if fell and clauses:
        clauses[next(iter(clauses))] += f"; {_and(fell)} fell"
    if not clauses:
        clauses = _outputs(shifts, fell)
    kind = next(iter(clauses)) if len(clauses) == 1 else MIXED
    words = f"Points to {', and to '.join(clauses.values())}.{left_out}"
    return DriftReading(kind, tuple(map(str, where)), words)


def _at_fault(places: Sequence[AttributeValue]) -> list[AttributeValue]:
    """The devices at fault or the sites, whichever moved further.

    A fault of one device shows in every site that has it, and one of a site in all its devices,
    but diluted by the cases of the others.
    """
    at_fault = [place for place in places if place.at_fault]

    def furthest(attribute: str) -> float:
        moved = [place.furthest for place in at_fault if place.attribute == attribute]
        # Rounded, so that where both fit equally well the first is named, the device.
        return round(max(moved, default=-1.0), 1)

    chosen = max(PLACES, key=furthest, default=None)
    return [place for place in at_fault if place.attribute == chosen]


def _inputs(
    shifts: Sequence[Shift],
    places: Sequence[AttributeValue],
    at_fault: Sequence[AttributeValue],
    outside: Collection[str],
) -> dict[str, str]:
    """A clause for each kind of cause among the inputs; none where no input moved."""
    images, attributes = _names(shifts, "quality"), _names(shifts, "attribute")
    patients = [name for name in attributes if name not in PLACES]
    new = [place for place in at_fault if place.new]
    changed = [place for place in at_fault if not place.new]
    if at_fault:
        # A new clinic may well bring other patients: that is no second cause.
        patients = [name for name in patients if name in outside]
        places = [place for place in places if place.attribute == at_fault[0].attribute]
    clauses = {}
    if new:
        clauses[NEW_SOURCE] = f"a new source of images: {'; '.join(map(_new_place, new))}"
    if changed:
        clauses[ACQUISITION] = _change_inside(changed, places)
    elif new and (steady := _steady(places)):
        clauses[NEW_SOURCE] += f"; image quality inside {steady} did not move"
    if patients or (attributes and not clauses):
        clauses[POPULATION] = _population(patients or attributes, shifts)
        if not clauses.keys() - {POPULATION}:
            clauses[POPULATION] += f"; {_images_of_others(images, places)}"
    if images and not clauses:
        clauses[MIXED] = (
            f"a change of the images ({_and(images)}) that no single device or site shows and no "
            f"attribute explains{'' if places else ', as neither device nor site is logged'}"
        )
    return clauses


def _unknown(places: Sequence[AttributeValue]) -> str:
    new = [f"{place} ({place.cases} cases)" for place in places if place.new]
    return f" New since the reference: {_and(new)}." if new else ""


def _new_place(place: AttributeValue) -> str:
    known = f"{place} ({place.cases} cases), which the reference hardly knows"
    if place.moved:
        return f"{known} and whose {_and(place.moved)} differ from it"
    return known if place.shifts else f"{known}; too few cases to compare its images"


def _change_inside(changed: Sequence[AttributeValue], places: Sequence[AttributeValue]) -> str:
    features = dict.fromkeys(name for place in changed for name in place.moved)
    steady = _steady(places)
    others = f", not inside {steady}" if steady else ""
    return f"how images are made: {_and(features)} moved inside {_and(changed)}{others}"


def _population(attributes: Sequence[str], shifts: Sequence[Shift]) -> str:
    outputs = [*_names(shifts, "score"), *(n for n in _names(shifts, "rate") if n not in _RIGHT)]
    together = f", with {_and(outputs)}" if outputs else ""
    return f"other patients or another season: {_and(attributes)} moved{together}"


def _images_of_others(images: Sequence[str], places: Sequence[AttributeValue]) -> str:
    if not images:
        return "image quality did not move"
    if steady := _steady(places):
        return f"{_and(images)} moved by the mix of cases, not inside {steady}"
    return f"{_and(images)} moved too, and where could not be told"


def _outputs(shifts: Sequence[Shift], fell: Sequence[str]) -> dict[str, str]:
    scores = _and(name for name in _names(shifts) if name not in _RIGHT)
    if fell:
        together = f", with {scores}" if scores else ""
        return {PERFORMANCE: f"a loss of performance: {_and(fell)} fell{together}; no input moved"}
    words = f"the model's answers alone: {scores} moved and no input that is logged did"
    return {SCORES_ONLY: words + _nearest(shifts)}


def _nearest(shifts: Sequence[Shift]) -> str:
    """The input that comes nearest to its limit, where one is past half of it."""
    inputs = [shift for shift in shifts if shift.kind in ("quality", "attribute")]
    shares = {shift.name: (shift.value or 0) / shift.limit for shift in inputs if shift.limit}
    name = max(shares, key=lambda name: shares[name], default="")
    return f"; {name} is at {shares[name]:.0%} of its limit" if shares.get(name, 0) > 0.5 else ""


def _fell(shifts: Sequence[Shift], charts: Sequence[Chart]) -> list[str]:
    signalled = {chart.name for chart in charts if chart.signal}
    moved = _names(shifts, "rate")
    return [name for name in _RIGHT if name in moved or name in signalled]


def _not_compared(shifts: Sequence[Shift]) -> str:
    """What the reader must not take for steady; performance has a table of its own."""
    missing = [shift.name for shift in shifts if shift.state == NOT_ENOUGH]
    names = [name for name in missing if name not in _RIGHT]
    return f" Not compared, for want of data: {_and(names)}." if names else ""


def _steady(places: Sequence[AttributeValue]) -> str:
    return _and(place for place in places if place.shifts and not place.at_fault)


def _names(shifts: Sequence[Shift], kind: str | None = None) -> list[str]:
    moved = [shift for shift in shifts if shift.state == MOVED]
    return [shift.name for shift in moved if kind in (None, shift.kind)]


def _and(names: Iterable[object]) -> str:
    words = [str(name) for name in names]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
