"""Where the images changed: the same comparison inside each device and each site.

A fault of one scanner is a shift inside that scanner, which the other scanners' cases dilute in the
whole; a season is none, even where it changes the mix of scanners; a new vendor is a value that
the reference does not know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from components.drift.findings import MOVED, Shift
from components.drift.inputs import shifts_of_attributes, shifts_of_images
from components.drift.limits import Limit
from components.drift.sample import Sample
from components.drift.shifts import Dealing, decide, draws_for

PLACES = ("device", "site")  # attributes that say where an image was made

FEWEST_INSIDE = 30  # cases of a place, in either sample: with fewer, nothing is said about it

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
        return max(
            (shift.value or 0.0 for shift in self.shifts if shift.state == MOVED), default=0.0
        )

    def __str__(self) -> str:
        return f"{self.attribute}={self.value}"


def places_of(reference: Sample, current: Sample) -> list[AttributeValue]:
    """Every device and site of the served cases, not compared yet.

    An attribute that the reference does not log says nothing: all its values would be new.
    """
    places = []
    for attribute in PLACES:
        before, now = _column(reference, attribute), _column(current, attribute)
        if before is None or now is None:
            continue
        for value in sorted({word for word in now if word is not None}):
            new = _is_new(before == value, now == value)
            places.append(AttributeValue(attribute, value, int((now == value).sum()), new, ()))
    return places


def compared_inside(
    place: AttributeValue,
    reference: Sample,
    current: Sample,
    limits: Mapping[str, Limit],
    dealing: Dealing,
) -> AttributeValue:
    """The place with the undecided shifts of its images."""
    known = reference.words[place.attribute] == place.value
    before = reference if place.new else reference.where(known)
    served = current.where(current.words[place.attribute] == place.value)
    shifts = shifts_of_images(before, served, limits, replace(dealing, fewest=FEWEST_INSIDE))
    return replace(place, shifts=tuple(shift for shift in shifts if shift.p_value is not None))


def with_decisions(
    places: Sequence[AttributeValue], decided: Sequence[Shift]
) -> list[AttributeValue]:
    """The places with their shifts as `decide` left them, in the same order."""
    left: Iterator[Shift] = iter(decided)
    return [replace(place, shifts=tuple(islice(left, len(place.shifts)))) for place in places]


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
        dealing = self._dealing(len(self.limits))
        others = {name: limit for name, limit in self.limits.items() if name != attribute}
        return self._moved(
            [
                *shifts_of_images(before, now, self.limits, dealing),
                *shifts_of_attributes(before, now, others, dealing),
            ]
        )

    def moved_by_mix(self, place: AttributeValue) -> bool:
        """Whether a known place's images moved only as it uses its devices, or sites, otherwise.

        Then no device inside the site moved, of those with cases enough to tell.
        """
        before, now = (
            sample.where(sample.words[place.attribute] == place.value)
            for sample in (self.reference, self.current)
        )
        parts = [part for part in places_of(before, now) if part.attribute != place.attribute]
        dealing = self._dealing(len(parts) * len(self.limits))
        told = [compared_inside(part, before, now, self.limits, dealing) for part in parts]
        shifts = [shift for part in told for shift in part.shifts]
        return bool(shifts) and not self._moved(shifts)

    def _dealing(self, tests: int) -> Dealing:
        return Dealing(self.generator, draws_for(tests, self.alpha), FEWEST_INSIDE)

    def _moved(self, shifts: Sequence[Shift]) -> tuple[str, ...]:
        decided = decide(shifts, self.alpha)
        return tuple(shift.name for shift in decided if shift.state == MOVED)


def _is_new(before: npt.NDArray[np.bool_], now: npt.NDArray[np.bool_]) -> bool:
    return bool(before.mean() < _HARDLY and now.mean() >= _SOME and now.sum() >= _FEWEST_OF_NEW)


def _column(sample: Sample, attribute: str) -> npt.NDArray[Any] | None:
    words = sample.words.get(attribute)
    if words is None or not any(word is not None for word in words):
        return None
    return words
