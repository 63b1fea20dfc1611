from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.calibration import (
    brier,
    brier_difference,
    expected_calibration_error,
    expected_calibration_error_difference,
    reliability,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SINGLE = [brier, expected_calibration_error]
PAIRED = [brier_difference, expected_calibration_error_difference]
SEEDS = st.integers(0, 10**6)


def drawn(seed: int, n: int = 200) -> tuple[Floats, Floats, Bools]:
    """Two models' scores, rounded so that ties occur, and labels."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n)
    labels = rng.random(n) < truth
    ours, theirs = (np.clip(truth + rng.normal(0, 0.2, n), 0, 1).round(2) for _ in range(2))
    return ours, theirs, labels


def test_brier_score_by_hand() -> None:
    result = brier(np.array([0.0, 0.5, 1.0, 0.8]), np.array([False, True, True, False]))
    # Errors 0, .25, 0, .64: mean .2225, standard error .151128.
    assert result.estimate == pytest.approx(0.2225)
    assert result.upper == pytest.approx(0.2225 + 1.959964 * 0.151128, abs=1e-5)
    assert (result.lower, result.n) == (0.0, 4)


@given(SEEDS, st.integers(1, 30))
def test_expected_calibration_error_is_the_weighted_distance_in_the_plot(
    seed: int, bins: int
) -> None:
    scores, _, labels = drawn(seed)
    curve = reliability(scores, labels, bins=bins)
    distance = np.abs(curve.mean_score - curve.observed_share)
    expected = float(curve.n @ distance) / labels.size
    result = expected_calibration_error(scores, labels, bins=bins)
    assert result.estimate == pytest.approx(expected, abs=1e-12)


def test_bins_hold_equally_many_cases_and_equal_scores_share_one() -> None:
    labels = np.arange(100) < 50
    assert reliability(np.arange(100) / 100, labels, bins=10).n.tolist() == [10] * 10
    assert reliability(np.full(100, 0.3), labels, bins=10).n.tolist() == [100]
    assert reliability(np.arange(100) / 100, labels).n.size == 15


@pytest.mark.parametrize("measure", SINGLE)
@given(seed=SEEDS)
def test_bounds_are_ordered_within_the_range(measure: Callable, seed: int) -> None:
    scores, _, labels = drawn(seed, 30)
    result = measure(scores, labels)
    assert 0 <= result.lower <= result.estimate <= result.upper <= 1


@pytest.mark.parametrize("measure", PAIRED)
@given(seed=SEEDS)
def test_swapping_the_models_mirrors(measure: Callable, seed: int) -> None:
    candidate, baseline, labels = drawn(seed, 40)
    ours, theirs = measure(candidate, baseline, labels), measure(baseline, candidate, labels)
    assert ours.estimate == pytest.approx(-theirs.estimate, abs=1e-12)
    assert ours.lower == pytest.approx(-theirs.upper, abs=1e-12)
    assert -1 <= ours.lower <= ours.estimate <= ours.upper <= 1


@pytest.mark.parametrize("paired, single", list(zip(PAIRED, SINGLE)))
def test_difference_is_that_of_both_models(paired: Callable, single: Callable) -> None:
    candidate, baseline, labels = drawn(8)
    expected = single(candidate, labels).estimate - single(baseline, labels).estimate
    assert paired(candidate, baseline, labels).estimate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", PAIRED)
def test_identical_scores_differ_by_nothing_within_little(measure: Callable) -> None:
    scores, _, labels = drawn(5, 1000)
    result = measure(scores, scores, labels)
    assert result.estimate == 0
    assert -0.01 < result.lower < 0 < result.upper < 0.01


@pytest.mark.parametrize("measure", SINGLE)
@example(seed=146003)  # a bin whose scores sum to its labels but for rounding
@given(seed=SEEDS)
def test_order_of_cases_does_not_matter(measure: Callable, seed: int) -> None:
    scores, _, labels = drawn(seed, 50)
    order = np.random.default_rng(seed).permutation(50)
    ours, shuffled = measure(scores, labels), measure(scores[order], labels[order])
    assert shuffled.estimate == pytest.approx(ours.estimate, abs=1e-12)
    assert shuffled.upper == pytest.approx(ours.upper, abs=1e-12)


@pytest.mark.parametrize("measure", SINGLE)
def test_every_case_a_patient_of_its_own_equals_no_patients(measure: Callable) -> None:
    scores, _, labels = drawn(6)
    assert measure(scores, labels, clusters=np.arange(200)[::-1]) == measure(scores, labels)


@pytest.mark.parametrize("measure", SINGLE)
def test_cases_copied_ten_times_add_no_certainty(measure: Callable) -> None:
    scores, _, labels = drawn(7)
    once = measure(scores, labels, clusters=np.arange(200))
    copied = measure(
        np.repeat(scores, 10), np.repeat(labels, 10), clusters=np.repeat(np.arange(200), 10)
    )
    assert copied.upper - copied.lower == pytest.approx(once.upper - once.lower)


def test_perfect_scores_of_few_cases_claim_no_certainty() -> None:
    labels = np.arange(20) < 10
    result = brier(labels.astype(float), labels)
    # No error in 20 cases: the share of cases with one is below 0.1684 (Newcombe 1998).
    assert result.estimate == result.lower == 0
    assert round(result.upper, 4) == 0.1684


def test_cases_that_are_all_off_alike_may_differ_to_both_ends_of_the_range() -> None:
    labels, share = np.zeros(100, bool), 1 - 0.025 ** (1 / 100)
    off = expected_calibration_error(np.full(100, 0.9), labels)
    # A gap of .9 could be one of -1, by the share of cases that may differ, and one of 1.
    assert off.estimate == pytest.approx(0.9)
    assert off.lower == pytest.approx(0.9 - 1.9 * share)
    assert off.upper == pytest.approx(0.9 + 0.1 * share)
    lax = expected_calibration_error(np.full(100, 0.9), labels, alpha=0.05)
    assert lax.lower == pytest.approx(0.9 - 1.9 * (1 - 0.05 ** (1 / 100)))


@pytest.mark.parametrize("measure", SINGLE)
def test_every_interval_is_that_of_the_error_rate_asked_for(measure: Callable) -> None:
    scores, _, labels = drawn(8)
    owners = np.arange(200) // 2
    for clusters in (None, owners):
        strict = measure(scores, labels, clusters=clusters)
        lax = measure(scores, labels, clusters=clusters, alpha=0.05)
        half, narrow = strict.upper - strict.estimate, lax.upper - lax.estimate
        assert narrow / half == pytest.approx(1.644854 / 1.959964)


@pytest.mark.parametrize("measure", PAIRED)
def test_every_change_is_that_of_the_error_rate_bins_and_patients_asked_for(
    measure: Callable,
) -> None:
    ours, theirs, labels = drawn(8)
    owners = np.arange(200) // 2
    for clusters in (None, owners):
        strict = measure(ours, theirs, labels, clusters=clusters)
        lax = measure(ours, theirs, labels, clusters=clusters, alpha=0.05)
        half, narrow = strict.upper - strict.estimate, lax.upper - lax.estimate
        assert narrow / half == pytest.approx(1.644854 / 1.959964)
    assert measure(ours, theirs, labels, clusters=owners) != measure(ours, theirs, labels)


@pytest.mark.parametrize("measure, range_", list(zip(PAIRED, (2, 3))))
def test_the_worst_scores_are_by_one_worse_than_the_best_and_no_more(
    measure: Callable, range_: int
) -> None:
    labels = np.arange(20) < 10
    best, worst = labels.astype(float), 1.0 - labels
    result, mirrored = measure(worst, best, labels), measure(best, worst, labels)
    # In 20 equal differences the share of others is below 0.1684, and those may be `range_` lower.
    assert (result.estimate, result.upper) == (1, 1) == (-mirrored.estimate, -mirrored.lower)
    assert result.lower == pytest.approx(1 - range_ * 0.16843, abs=1e-4) == -mirrored.upper


def test_simulated_coverage_of_the_brier_score_is_near_the_level() -> None:
    rng = np.random.default_rng(20250331)
    missed = 0
    for _ in range(2000):
        truth = rng.random(150)
        result = brier(truth, rng.random(150) < truth)
        missed += not result.lower <= 1 / 6 <= result.upper
    assert 0.035 < missed / 2000 < 0.065


def test_simulated_coverage_holds_where_every_bin_is_off() -> None:
    # Scores too high by .1 throughout, so that the true error is .1 in any bins.
    rng = np.random.default_rng(20250331)
    missed = 0
    for _ in range(1000):
        truth = rng.uniform(0.1, 0.8, 3000)
        result = expected_calibration_error(truth + 0.1, rng.random(3000) < truth, bins=10)
        missed += not result.lower <= 0.1 <= result.upper
    assert 0.03 < missed / 1000 < 0.075


def test_a_calibrated_model_shows_the_bias_that_the_text_states() -> None:
    rng = np.random.default_rng(20250331)
    seen = []
    for _ in range(200):
        truth = rng.random(1000)
        seen.append(expected_calibration_error(truth, rng.random(1000) < truth).estimate)
    assert np.mean(seen) == pytest.approx(0.31 * (15 / 1000) ** 0.5, rel=0.1)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("measure", [*SINGLE, reliability])
def test_scores_that_are_no_probabilities_are_refused(measure: Callable, wrong: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        measure(np.array([0.2, wrong, 0.4]), np.array([True, False, True]))


def test_no_error_in_any_case_of_few_patients_claims_no_more_than_they_can() -> None:
    labels = np.arange(20) < 10
    result = brier(labels.astype(float), labels, clusters=np.arange(20) // 4)
    assert result.upper == pytest.approx(1 - 0.025 ** (1 / 5))
    with pytest.raises(TooFewCases, match="got 1 "):
        brier(labels.astype(float), labels, clusters=np.zeros(20, int))


def test_two_cases_are_enough_and_one_bin_is() -> None:
    scores, labels = np.array([0.2, 0.6]), np.array([False, True])
    assert brier(scores, labels).estimate == pytest.approx((0.04 + 0.16) / 2)
    assert reliability(scores, labels, bins=1).n.tolist() == [2]
    with pytest.raises(ValueError, match="got 0 bins"):
        reliability(scores, labels, bins=0)


@pytest.mark.parametrize("measure", SINGLE)
def test_one_case_is_an_error(measure: Callable) -> None:
    with pytest.raises(TooFewCases, match="wanted 2"):
        measure(np.array([0.2]), np.array([True]))


FOUR = np.array([0.1, 0.6, 0.3, 0.9])
MIXED = np.array([True, False, True, False])


@pytest.mark.parametrize(
    "scores, labels",
    [(FOUR, MIXED[:3]), (FOUR, MIXED.astype(int)), (FOUR.reshape(2, 2), MIXED.reshape(2, 2))],
)
def test_what_is_no_label_of_each_score_is_refused(scores: Floats, labels: NDArray) -> None:
    with pytest.raises(ValueError, match="bool"):
        brier(scores, labels)
