from dataclasses import replace

import numpy as np
import pytest

from components.drift.causes import (
    FEWEST_INSIDE,
    AttributeValue,
    Cases,
    compared_inside,
    decide_together,
    places_of,
    read,
)
from components.drift.compare import compare
from components.drift.findings import MOVED, STEADY, DriftReading, Shift
from components.drift.sample import Sample
from components.drift.shifts import Shuffling
from tests.components.drift.making import (
    LIMITS,
    at,
    blurred,
    drawn,
    unlabelled,
    with_numbers,
    with_words,
)

REFERENCE, CURRENT = drawn(1, 1500), drawn(2, 600)


def shuffling(fewest: int = 200) -> Shuffling:
    return Shuffling(np.random.default_rng(1), 999, fewest)


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
    cirrus = compared_inside(only("device=Cirrus"), REFERENCE, CURRENT, LIMITS, shuffling())
    assert [shift.name for shift in cirrus.shifts] == ["mean", "sharpness"]
    assert cirrus.shifts[0].reference_cases == at(REFERENCE, device="Cirrus").sum()
    new = replace(only("device=Cirrus"), new=True)
    shifts = compared_inside(new, REFERENCE, CURRENT, LIMITS, shuffling()).shifts
    assert shifts[0].reference_cases == 1500


def test_a_place_of_too_few_cases_is_not_compared() -> None:
    current = with_words(CURRENT, at(CURRENT, device="Cirrus"), device="Aster")
    few = with_words(current, np.arange(600) < FEWEST_INSIDE - 1, device="Cirrus")
    enough = with_words(current, np.arange(600) < FEWEST_INSIDE, device="Cirrus")
    place = only("device=Cirrus")
    assert compared_inside(place, REFERENCE, few, LIMITS, shuffling()).shifts == ()
    assert len(compared_inside(place, REFERENCE, enough, LIMITS, shuffling()).shifts) == 2


def test_decisions_come_back_to_their_places() -> None:
    current = blurred(CURRENT, at(CURRENT, device="Boreal"))
    places = [
        compared_inside(place, REFERENCE, current, LIMITS, shuffling())
        for place in places_of(REFERENCE, current)
        if place.attribute == "device"
    ]
    _, (aster, boreal, cirrus) = decide_together([], places, 0.05)
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


SEEDS = range(2, 5)
RNG = np.random.default_rng(1)


def reading(current: Sample, reference: Sample = REFERENCE) -> DriftReading:
    return compare(reference, current, limits=LIMITS, alpha=0.01, min_cases=200).reading


def new_vendor(sample: Sample, share: float = 0.3, blur: float = 0.5) -> Sample:
    """Some cases now come from a device that nobody has seen."""
    chosen = np.random.default_rng(1).random(len(sample)) < share
    return blurred(with_words(sample, chosen, device="Dorado"), chosen, blur)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_season_points_to_the_population(seed: int) -> None:
    found = reading(drawn(seed, 500, ill=0.75))
    assert (found.kind, found.where) == ("population", ())
    assert found.words.startswith("Points to other patients or another season: aetiology moved, ")
    assert found.words.endswith("positive_rate; image quality did not move.")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_new_vendor_points_to_a_new_source(seed: int) -> None:
    current = new_vendor(drawn(seed, 500))
    found = reading(current)
    assert (found.kind, found.where) == ("new_source", ("device=Dorado",))
    cases = int(at(current, device="Dorado").sum())
    assert f"device=Dorado ({cases} cases), which the reference hardly knows" in found.words
    assert "and whose sharpness differ from it" in found.words
    assert "inside device=Aster, device=Boreal and device=Cirrus did not move" in found.words


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_scanner_points_to_acquisition_and_names_the_device(seed: int) -> None:
    current = drawn(seed, 500)
    found = reading(blurred(current, at(current, device="Boreal")))
    assert (found.kind, found.where) == ("acquisition", ("device=Boreal",))
    assert found.words == (
        "Points to how images are made: sharpness moved inside device=Boreal, "
        "not inside device=Aster and device=Cirrus."
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fault_of_a_whole_site_names_the_site_and_not_its_devices(seed: int) -> None:
    current = drawn(seed, 500)
    found = reading(blurred(current, at(current, site="Harbour")))
    assert (found.kind, found.where) == ("acquisition", ("site=Harbour",))


def test_a_change_in_every_device_points_to_acquisition_in_all_of_them() -> None:
    found = reading(blurred(drawn(2, 500), np.full(500, True)))
    assert found.kind == "acquisition"
    assert found.where == ("device=Aster", "device=Boreal", "device=Cirrus")


def test_a_season_and_a_broken_scanner_at_once_are_mixed() -> None:
    current = drawn(2, 800, ill=0.75)
    found = reading(blurred(current, at(current, device="Boreal")))
    assert (found.kind, found.where) == ("mixed", ("device=Boreal",))
    assert "how images are made: sharpness" in found.words
    assert "and to other patients or another season: aetiology moved, with " in found.words
    assert found.words.endswith("positive_rate.")  # the images are the scanner's


def test_a_new_vendor_and_a_broken_scanner_at_once_are_mixed() -> None:
    current = new_vendor(drawn(2, 800))
    found = reading(blurred(current, at(current, device="Boreal"), 2.0))
    assert (found.kind, found.where) == ("mixed", ("device=Boreal", "device=Dorado"))


def test_other_patients_of_a_new_clinic_are_no_second_cause() -> None:
    current = drawn(2, 800)
    chosen = np.random.default_rng(1).random(800) < 0.4
    found = reading(with_words(current, chosen, site="Hillcrest", aetiology="effusion"))
    assert (found.kind, found.where) == ("new_source", ("site=Hillcrest",))


def test_a_new_source_of_too_few_cases_to_compare_says_so() -> None:
    current = drawn(2, 500, ill=0.75)
    found = reading(with_words(current, np.arange(500) < 20, device="Dorado"))
    assert found.where == ("device=Dorado",)
    assert "(20 cases), " in found.words and "; too few cases to compare" in found.words


def test_a_new_value_is_told_although_nothing_moved() -> None:
    current = with_words(drawn(2, 500), np.arange(500) < 40, device="Dorado")
    found = reading(current)
    assert found.kind == "nothing"
    assert "New since the reference: " in found.words
    assert "device=Dorado (40 cases)" in found.words


def test_another_mix_of_known_devices_is_the_population_and_explains_the_images() -> None:
    current = drawn(2, 3000)
    kept = at(current, device="Cirrus") | (np.arange(3000) % 20 == 0)
    found = reading(current.where(kept))
    assert (found.kind, found.where) == ("population", ())
    assert "device moved" in found.words
    assert "sharpness moved by the mix of cases, not inside device=Aster" in found.words


def test_another_mix_of_devices_in_one_site_is_no_fault_of_the_site() -> None:
    current = drawn(2, 3000)
    others = at(current, site="Harbour") & at(current, device="Boreal")
    found = reading(current.where(~others))
    assert (found.kind, found.where) == ("population", ("site=Harbour",))
    assert found.words == "Points to another mix of cases inside site=Harbour."


def test_scores_alone_point_to_the_model() -> None:
    current = unlabelled(drawn(2, 500))
    found = reading(replace(current, scores=current.scores**2))
    assert (found.kind, found.where) == ("scores_only", ())
    assert "score moved and no input that is logged did" in found.words


def test_the_input_next_to_its_limit_is_named_where_only_outcomes_moved() -> None:
    found = reading(unlabelled(drawn(2, 1000, ill=0.5)))
    assert found.kind == "scores_only"
    assert "; aetiology is at " in found.words and found.words.endswith("% of its limit.")


def test_a_fall_of_sensitivity_alone_points_to_performance() -> None:
    found = reading(drawn(2, 500, right=0.7))
    assert found.kind == "performance"
    assert found.words.startswith("Points to a loss of performance: sensitivity and specificity")


def test_a_fall_of_performance_beside_a_fault_is_said_with_it() -> None:
    current = drawn(2, 500, right=0.7)
    found = reading(blurred(current, at(current, device="Boreal")))
    assert found.kind == "acquisition"
    assert "; sensitivity and specificity fell" in found.words


def test_images_that_moved_where_no_place_is_logged_are_not_explained() -> None:
    nowhere = [
        with_words(sample, np.full(len(sample), True), device=None, site=None)
        for sample in (blurred(drawn(2, 500), np.full(500, True)), REFERENCE)
    ]
    found = reading(*nowhere)
    assert (found.kind, found.where) == ("mixed", ())
    assert "as neither device nor site is logged" in found.words


def test_nothing_is_read_into_undrifted_cases() -> None:
    found = reading(drawn(2, 500))
    assert found == DriftReading("nothing", (), "Nothing moved that matters.")


@pytest.mark.parametrize(
    "device, site, named",
    [(0.5, 0.9, "site=Harbour"), (0.9, 0.5, "device=Boreal"), (0.83, 0.84, "device=Boreal")],
)
def test_the_place_that_moved_further_is_named_and_the_device_where_both_fit(
    device: float, site: float, named: str
) -> None:
    shift = Shift("mean", "quality", "jensen_shannon", 0.0, 0.1, 0.001, MOVED, 99, 99, "")
    places = [
        AttributeValue("device", "Boreal", 99, False, (replace(shift, value=device),)),
        AttributeValue("site", "Harbour", 99, False, (replace(shift, value=site),)),
    ]
    cases = Cases(REFERENCE, REFERENCE.where(np.full(1500, False)), LIMITS, 0.01, RNG)
    assert read([], places, [], cases).where == (named,)


def test_unknown_devices_are_no_place() -> None:
    current = with_words(drawn(2, 500), np.arange(500) < 250, device=None)
    current = with_numbers(current, mean=current.numbers["mean"] + 0.1)
    assert all("None" not in place for place in reading(current).where)
