from dataclasses import replace

import numpy as np
import pytest

from components.drift.divergence import JENSEN_SHANNON, L_INFINITY, Limit
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Shift
from components.drift.permutation import permutation_p_value
from components.drift.shifts import (
    Shuffling,
    decide,
    draws_for,
    histogram_of_numbers,
    histogram_of_words,
    shift_of_numbers,
    shift_of_words,
    shifts_of_attributes,
    shifts_of_images,
)
from components.records.errors import ConfigError
from tests.components.drift.making import LIMITS, drawn
from tests.refusing import refused

RNG = np.random.default_rng(20250331)
NUMBERS, WORDS = Limit(JENSEN_SHANNON, 0.15), Limit(L_INFINITY, 0.25)
DEVICES = np.array(["Aster", "Boreal"] * 300, dtype=object)


def shuffling(fewest: int = 200, draws: int = 999) -> Shuffling:
    return Shuffling(np.random.default_rng(1), draws, fewest)


def of_numbers(reference: np.ndarray, current: np.ndarray) -> Shift:
    return shift_of_numbers("mean", "quality", reference, current, NUMBERS, shuffling())


def of_words(reference: np.ndarray, current: np.ndarray) -> Shift:
    return shift_of_words("device", reference, current, WORDS, shuffling())


def shift(value: float | None, p_value: float | None, name: str = "mean") -> Shift:
    made = of_numbers(np.ones(0), np.ones(0))
    state = NOT_ENOUGH if p_value is None else STEADY
    return replace(made, name=name, value=value, p_value=p_value, state=state)


def states(*shifts: Shift, alpha: float = 0.05) -> list[str]:
    return [one.state for one in decide(shifts, alpha)]


def test_moved_needs_both_relevance_and_significance() -> None:
    assert states(shift(0.16, 0.001)) == [MOVED]
    assert states(shift(0.15, 0.001)) == [STEADY]  # at the limit, not above it
    assert states(shift(0.16, 0.06)) == [STEADY]


def test_what_chance_may_explain_says_so() -> None:
    (decided,) = decide([shift(0.16, 0.06)], 0.05)
    assert decided.words.endswith("above the limit, but chance may explain it")


def test_every_tested_shift_makes_each_harder_to_call_moved() -> None:
    assert states(shift(0.3, 0.03)) == [MOVED]
    # Not even one that is within its limit, however small its own p value, is left out.
    assert states(shift(0.3, 0.03), shift(0.01, 0.001)) == [STEADY, STEADY]
    # Holm: once the first is called moved, the second has one competitor less.
    assert states(shift(0.3, 0.02), shift(0.3, 0.04)) == [MOVED, MOVED]


def test_what_was_not_tested_stays_not_enough_data_and_costs_nothing() -> None:
    untested = shift(None, None)
    assert states(shift(0.3, 0.04), *[untested] * 20) == [MOVED, *[NOT_ENOUGH] * 20]


def test_a_shift_is_measured_with_its_accident_and_both_distributions() -> None:
    found = of_numbers(RNG.normal(0, 1, 900), RNG.normal(2, 1, 300))
    assert found.value is not None and found.value > 0.3
    assert found.p_value == 1 / 1000
    assert (found.reference_cases, found.current_cases) == (900, 300)
    assert found.histogram is not None and found.words.startswith("median ")


def test_a_new_value_of_an_attribute_is_named() -> None:
    current = np.array(["Dorado"] * 200 + ["Aster"] * 200, dtype=object)
    found = of_words(DEVICES, current)
    assert found.value == pytest.approx(0.5)
    assert found.words == "Boreal 50.0% before, 0.0% now"
    assert found.histogram is not None and "Dorado" in found.histogram.names


@pytest.mark.parametrize("few", [0, 1, 199])
def test_too_few_values_in_either_sample_are_not_enough_data(few: int) -> None:
    numbers, words = RNG.normal(size=300), DEVICES[:300]
    unknown, unsaid = numbers.copy(), words.copy()
    unknown[few:], unsaid[few:] = np.nan, None
    for found in (
        of_numbers(numbers, unknown),
        of_numbers(unknown, numbers),
        of_words(words, unsaid),
        of_words(unsaid, words),
    ):
        assert (found.state, found.value, found.p_value) == (NOT_ENOUGH, None, None)


def test_a_feature_that_is_no_longer_logged_is_said() -> None:
    numbers = RNG.normal(size=300)
    for unknown in (np.nan, np.inf):
        found = of_numbers(numbers, np.full(400, unknown))
        assert (
            found.words == "not logged: the reference has it in 300 cases, none of 400 served has"
        )
    assert "not logged" in of_words(DEVICES, np.full(400, None, dtype=object)).words


def test_a_feature_that_is_logged_for_some_cases_says_for_how_many() -> None:
    current = np.where(np.arange(400) < 250, RNG.normal(size=400), np.nan)
    assert of_numbers(RNG.normal(size=300), current).words.endswith("logged for 250 of 400 cases")


def test_a_measure_for_words_is_refused_for_a_number() -> None:
    with refused(ConfigError, "mean: ", "l_infinity"):
        shift_of_numbers("mean", "quality", np.ones(9), np.ones(9), WORDS, shuffling())


def test_words_may_be_measured_by_divergence() -> None:
    limit = Limit(JENSEN_SHANNON, 0.1)
    current = np.array(["Dorado"] * 300, dtype=object)
    found = shift_of_words("device", DEVICES, current, limit, shuffling())
    assert (found.value, found.measure) == (1.0, JENSEN_SHANNON)


@pytest.mark.parametrize("tests, alpha", [(1, 0.4), (17, 0.01), (80, 0.005)])
def test_there_are_draws_enough_to_pass_the_correction(tests: int, alpha: float) -> None:
    smallest = permutation_p_value(
        np.array([900, 0]),
        np.array([0, 900]),
        lambda p, q: np.abs(np.subtract(p, q)).max(axis=-1),
        draws=draws_for(tests, alpha),
        generator=np.random.default_rng(1),
    )
    assert smallest * tests <= alpha


def test_both_samples_share_bins_that_hold_every_case() -> None:
    reference, current = RNG.normal(size=900), RNG.normal(3, 1, size=100)
    histogram = histogram_of_numbers(reference, current)
    assert histogram.edges is not None
    assert len(histogram.edges) == len(histogram.names) + 1 == 21
    assert histogram.edges[0] == reference.min() and histogram.edges[-1] == current.max()
    assert sum(histogram.reference) == pytest.approx(1) == pytest.approx(sum(histogram.current))


def test_an_odd_value_does_not_squeeze_the_others_into_one_bin() -> None:
    histogram = histogram_of_numbers(np.append(RNG.normal(size=900), 1e6), RNG.normal(size=100))
    assert sum(share > 0.01 for share in histogram.reference) > 10


@pytest.mark.parametrize("value", [0.0, 64.0, -1e-9])
def test_one_value_alone_is_one_bin_around_it(value: float) -> None:
    histogram = histogram_of_numbers(np.full(9, value), np.full(5, value))
    assert histogram.edges is not None
    assert histogram.edges[0] < value < histogram.edges[1]
    assert (histogram.reference, histogram.current) == ((1.0,), (1.0,))


def test_words_keep_their_names_and_have_no_edges() -> None:
    histogram = histogram_of_words(("a", "b"), np.array([3, 1]), np.array([0, 2]))
    assert (histogram.names, histogram.edges) == (("a", "b"), None)
    assert (histogram.reference, histogram.current) == ((0.75, 0.25), (0.0, 1.0))


SHUFFLING = Shuffling(np.random.default_rng(1), 99, 200)


def test_only_what_has_a_limit_is_compared_in_the_order_of_the_schema() -> None:
    reference, current = drawn(1, 300), drawn(2, 300)
    backwards = dict(reversed(LIMITS.items()))
    images = shifts_of_images(reference, current, backwards, SHUFFLING)
    assert [(shift.name, shift.kind) for shift in images] == [
        ("sharpness", "quality"),
        ("mean", "quality"),
    ]
    attributes = shifts_of_attributes(reference, current, {"site": LIMITS["site"]}, SHUFFLING)
    assert [(shift.name, shift.kind) for shift in attributes] == [("site", "attribute")]


def test_a_column_that_one_sample_lacks_is_not_enough_data_and_none_is_left_out() -> None:
    sample = drawn(1, 300)
    bare = replace(sample, numbers={}, words={})
    for pair in ((sample, bare), (bare, sample)):
        images = shifts_of_images(*pair, LIMITS, SHUFFLING)
        attributes = shifts_of_attributes(*pair, LIMITS, SHUFFLING)
        assert [shift.state for shift in images + attributes] == [NOT_ENOUGH] * 5
    assert shifts_of_images(bare, bare, LIMITS, SHUFFLING) == []
    assert shifts_of_attributes(bare, bare, LIMITS, SHUFFLING) == []
