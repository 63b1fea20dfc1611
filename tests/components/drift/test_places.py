from dataclasses import replace

import numpy as np
import pytest

from components.drift.findings import STEADY
from components.drift.places import (
    FEWEST_INSIDE,
    AttributeValue,
    Cases,
    compared_inside,
    places_of,
    with_decisions,
)
from components.drift.shifts import Dealing, decide
from tests.components.drift.making import LIMITS, at, blurred, drawn, with_words

REFERENCE, CURRENT = drawn(1, 1500), drawn(2, 600)


def dealing(fewest: int = 200) -> Dealing:
    return Dealing(np.random.default_rng(1), 999, fewest)


def only(place: str) -> AttributeValue:
    (found,) = [one for one in places_of(REFERENCE, CURRENT) if str(one) == place]
    return found


def test_every_device_and_site_of_the_served_cases_is_a_place() -> None:
    assert [str(place) for place in places_of(REFERENCE, CURRENT)] == [
        "device=Aster",
        "device=Boreal",
        "device=Cirrus",
        "site=Harbour",
        "site=Northgate",
    ]
    assert only("device=Cirrus").cases == at(CURRENT, device="Cirrus").sum()


def test_an_attribute_that_one_sample_does_not_log_has_no_places() -> None:
    without = with_words(REFERENCE, np.full(1500, True), device=None)
    for pair in ((without, CURRENT), (CURRENT, without)):
        assert {place.attribute for place in places_of(*pair)} == {"site"}


@pytest.mark.parametrize(
    "known, served, new",
    [(0, 18, True), (0, 17, False), (7, 18, True), (8, 18, False), (0, 9, False)],
)
def test_a_place_is_new_where_the_reference_hardly_knows_it(
    known: int, served: int, new: bool
) -> None:
    reference = with_words(REFERENCE, np.arange(1500) < known, device="Dorado")
    current = with_words(CURRENT, np.arange(600) < served, device="Dorado")
    assert {str(place) for place in places_of(reference, current) if place.new} == (
        {"device=Dorado"} if new else set()
    )


def test_few_cases_of_a_short_window_are_no_new_place() -> None:
    current = with_words(drawn(2, 200), np.arange(200) < 9, device="Dorado")
    assert not any(place.new for place in places_of(REFERENCE, current))


def test_a_place_is_compared_with_itself_and_a_new_one_with_the_whole_reference() -> None:
    cirrus = compared_inside(only("device=Cirrus"), REFERENCE, CURRENT, LIMITS, dealing())
    assert [shift.name for shift in cirrus.shifts] == ["mean", "sharpness"]
    assert cirrus.shifts[0].reference_cases == at(REFERENCE, device="Cirrus").sum()
    new = replace(only("device=Cirrus"), new=True)
    shifts = compared_inside(new, REFERENCE, CURRENT, LIMITS, dealing()).shifts
    assert shifts[0].reference_cases == 1500


def test_a_place_of_too_few_cases_is_not_compared() -> None:
    current = with_words(CURRENT, at(CURRENT, device="Cirrus"), device="Aster")
    few = with_words(current, np.arange(600) < FEWEST_INSIDE - 1, device="Cirrus")
    enough = with_words(current, np.arange(600) < FEWEST_INSIDE, device="Cirrus")
    place = only("device=Cirrus")
    assert compared_inside(place, REFERENCE, few, LIMITS, dealing()).shifts == ()
    assert len(compared_inside(place, REFERENCE, enough, LIMITS, dealing()).shifts) == 2


def test_decisions_come_back_to_their_places() -> None:
    current = blurred(CURRENT, at(CURRENT, device="Boreal"))
    places = [
        compared_inside(place, REFERENCE, current, LIMITS, dealing())
        for place in places_of(REFERENCE, current)
        if place.attribute == "device"
    ]
    decided = decide([shift for place in places for shift in place.shifts], 0.05)
    aster, boreal, cirrus = with_decisions(places, decided)
    assert (aster.moved, boreal.moved, cirrus.moved) == ((), ("sharpness",), ())
    assert boreal.furthest > 0.9 and aster.furthest == 0
    assert {shift.state for shift in aster.shifts} == {STEADY}


def test_what_moved_outside_is_taken_without_the_places() -> None:
    current = blurred(drawn(2, 800, ill=0.8), at(drawn(2, 800, ill=0.8), device="Boreal"))
    cases = Cases(REFERENCE, current, LIMITS, 0.01, np.random.default_rng(1))
    assert cases.moved_outside([only("device=Boreal")]) == ("aetiology",)
    assert "sharpness" in cases.moved_outside([only("site=Harbour")])
    everywhere = [place for place in places_of(REFERENCE, current) if place.attribute == "site"]
    assert cases.moved_outside(everywhere) == ()


def test_a_site_of_too_few_cases_per_device_is_not_explained_by_its_devices() -> None:
    few = CURRENT.where(np.arange(600) < 60)
    cases = Cases(REFERENCE, few, LIMITS, 0.01, np.random.default_rng(1))
    assert not cases.moved_by_mix(only("site=Harbour"))
    cases = Cases(REFERENCE, CURRENT, LIMITS, 0.01, np.random.default_rng(1))
    assert cases.moved_by_mix(only("site=Harbour"))
