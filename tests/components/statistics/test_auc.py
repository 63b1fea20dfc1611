import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from components.errors import TooFewCases
from components.statistics.auc import auc, auc_difference

Floats = NDArray[np.float64]


def naive_components(scores: Floats, labels: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """DeLong's definition, pair by pair."""
    gap = scores[labels][:, None] - scores[~labels][None, :]
    wins = (gap > 0) + 0.5 * (gap == 0)
    return wins.mean(axis=1), wins.mean(axis=0)


def drawn(seed: int, n: int = 60, shift: float = 1.0) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(n) < n // 3
    truth = rng.normal(size=n) + shift * labels
    # Rounded, so that ties occur.
    return (truth + rng.normal(size=n)).round(1), (truth + rng.normal(size=n)).round(1), labels


@given(st.integers(0, 10**6))
def test_agrees_with_the_definition_pair_by_pair(seed: int) -> None:
    candidate, baseline, labels = drawn(seed)
    a10, a01 = naive_components(candidate, labels)
    b10, b01 = naive_components(baseline, labels)
    variance = (a10 - b10).var(ddof=1) / a10.size + (a01 - b01).var(ddof=1) / a01.size
    result = auc_difference(candidate, baseline, labels)
    assert result.estimate == pytest.approx(a10.mean() - b10.mean(), abs=1e-12)
    assert result.upper - result.lower == pytest.approx(2 * 1.959964 * variance**0.5, rel=1e-5)


def test_order_of_cases_does_not_matter() -> None:
    candidate, baseline, labels = drawn(3)
    order = np.random.default_rng(0).permutation(labels.size)
    shuffled = auc_difference(candidate[order], baseline[order], labels[order])
    assert shuffled.lower == pytest.approx(auc_difference(candidate, baseline, labels).lower)


def test_swapping_the_models_mirrors() -> None:
    candidate, baseline, labels = drawn(4)
    ours = auc_difference(candidate, baseline, labels)
    theirs = auc_difference(baseline, candidate, labels)
    assert (ours.lower, ours.upper) == pytest.approx((-theirs.upper, -theirs.lower))


def test_identical_models_differ_by_nothing() -> None:
    candidate, _, labels = drawn(5)
    result = auc_difference(candidate, candidate, labels)
    assert result.estimate == 0 and result.lower < 0 < result.upper


def test_perfect_separation_of_few_cases_claims_no_certainty() -> None:
    labels = np.array([True] * 4 + [False] * 4)
    result = auc(labels.astype(float), labels)
    assert result.estimate == result.upper == 1
    assert result.lower == pytest.approx(0.025 ** (1 / 4))


def test_all_scores_tied_is_a_half_with_room_on_both_sides() -> None:
    labels = np.array([True] * 10 + [False] * 10)
    result = auc(np.full(20, 0.3), labels)
    assert result.estimate == 0.5 and result.lower < 0.3 and result.upper > 0.7


def test_simulated_coverage_is_near_the_level() -> None:
    # For unit normals a shift of 1 apart, AUC is the normal distribution at 1 / sqrt(2).
    rng = np.random.default_rng(20250331)
    labels = np.arange(200) < 80
    missed = 0
    for _ in range(1500):
        result = auc(rng.normal(size=200) + labels, labels)
        missed += not result.lower <= 0.76025 <= result.upper
    assert 0.035 < missed / 1500 < 0.07


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_a_class_with_fewer_than_two_cases_is_an_error(positives: int) -> None:
    with pytest.raises(TooFewCases, match=f"{positives} positive"):
        auc(np.arange(10.0), np.arange(10) < positives)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        auc(np.array([0.1, np.nan, 0.3, 0.4]), np.array([True, False, True, False]))
