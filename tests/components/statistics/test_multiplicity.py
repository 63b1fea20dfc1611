import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from components.statistics.multiplicity import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_agrees_with_holm_worked_example() -> None:
    # Holm (1979), Scand J Stat 6:65-70: the procedure, by hand on four p values.
    assert holm([0.01, 0.04, 0.03, 0.005]).round(10).tolist() == [0.03, 0.06, 0.06, 0.02]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_statsmodels(seed: int) -> None:
    # Few and large, with ties: statsmodels collects garbage on every call.
    p_values = np.random.default_rng(seed).random(200).round(2)
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@given(P_VALUES, st.randoms(use_true_random=False))
def test_order_does_not_matter(p_values: list[float], random: object) -> None:
    order = list(range(len(p_values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert holm(np.array(p_values)[order]) == pytest.approx(holm(p_values)[order])


def test_one_test_needs_no_adjustment_and_none_gives_none() -> None:
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).size == 0


def test_short_floats_are_adjusted_as_long_ones() -> None:
    short = np.array([0.01, 0.02, 0.3], np.float32)
    assert holm(short).tolist() == holm(short.astype(np.float64)).tolist()
    assert holm(short)[0] == 3 * float(short[0])


def test_false_alarms_stay_at_the_level_over_all_slices() -> None:
    p = np.random.default_rng(20250331).random((4000, 20))
    alarms = np.mean([(holm(row) <= 0.05).any() for row in p])
    assert 0.035 < alarms < 0.06  # unadjusted it is 0.64


@pytest.mark.parametrize("p_values", [[0.1, float("nan")], [-0.1], [1.1]])
def test_what_is_no_p_value_is_refused(p_values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm(p_values)
