import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import TooFewCases
from components.statistics.intervals import normal_quantile
from components.statistics.paired import paired_difference, tango

Table = tuple[int, int, int]
# Gained, lost, neither: n is their sum.
TABLES = st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 3000))


def test_agrees_with_fagerland_worked_example() -> None:
    # Fagerland, Lydersen and Laake (2014), Stat Med 33:2850-2875: [[1, 1], [7, 12]].
    bounds = tango(1, 7, 21)
    assert (round(bounds.lower, 3), round(bounds.upper, 3)) == (-0.517, -0.026)


def test_agrees_with_tango_worked_example() -> None:
    bounds = tango(6, 16, 59 + 6 + 16 + 80)
    assert (round(bounds.lower, 4), round(bounds.upper, 4)) == (-0.1240, -0.0054)


@given(TABLES)
def test_bounds_are_ordered_and_hold_the_estimate(table: Table) -> None:
    gained, lost, neither = table
    bounds = tango(gained, lost, gained + lost + neither)
    assert -1 <= bounds.lower < bounds.estimate < bounds.upper <= 1


@given(TABLES)
def test_swapping_the_models_mirrors_exactly(table: Table) -> None:
    gained, lost, neither = table
    n = gained + lost + neither
    ours, theirs = tango(gained, lost, n), tango(lost, gained, n)
    assert (ours.lower, ours.upper) == (-theirs.upper, -theirs.lower)


@given(TABLES)
def test_one_more_lost_case_lowers_both_bounds(table: Table) -> None:
    gained, lost, neither = table
    n = gained + lost + neither
    before, after = tango(gained, lost, n), tango(gained, lost + 1, n)
    assert after.lower < before.lower and after.upper < before.upper


@given(TABLES)
def test_smaller_alpha_widens(table: Table) -> None:
    gained, lost, neither = table
    n = gained + lost + neither
    wide, narrow = tango(gained, lost, n, alpha=0.01), tango(gained, lost, n, alpha=0.05)
    assert wide.lower < narrow.lower and wide.upper > narrow.upper


@given(st.integers(1, 10**9))
def test_identical_models_differ_by_nothing_within_the_closed_form(n: int) -> None:
    z = normal_quantile(0.025)
    bounds = tango(0, 0, n)
    assert bounds.estimate == 0
    assert bounds.upper == -bounds.lower == pytest.approx(z * z / (n + z * z), rel=1e-9)


@pytest.mark.parametrize("gained, lost, estimate", [(0, 9, -1.0), (9, 0, 1.0), (5, 5, 0.0)])
def test_all_discordant_has_bounds(gained: int, lost: int, estimate: float) -> None:
    bounds = tango(gained, lost, gained + lost)
    assert bounds.estimate == estimate
    assert -1 <= bounds.lower <= estimate <= bounds.upper <= 1
    assert bounds.upper - bounds.lower > 0.4


def test_counts_come_from_the_cases() -> None:
    candidate = np.array([True, True, False, False, True])
    baseline = np.array([True, False, True, True, True])
    result = paired_difference(candidate, baseline)
    assert (result.gained, result.lost, result.n, result.estimate) == (1, 2, 5, -0.2)


def test_simulated_coverage_is_near_the_level() -> None:
    rng = np.random.default_rng(20250331)
    n, shares = 150, (0.08, 0.13, 0.79)
    missed = 0
    for gained, lost, _ in rng.multinomial(n, shares, size=2000):
        bounds = tango(int(gained), int(lost), n)
        missed += not bounds.lower <= shares[0] - shares[1] <= bounds.upper
    assert 0.035 < missed / 2000 < 0.065


def test_no_case_is_an_error() -> None:
    with pytest.raises(TooFewCases, match="n = 0"):
        tango(0, 0, 0)


@pytest.mark.parametrize("gained, lost", [(-1, 0), (3, 3)])
def test_impossible_counts_are_refused(gained: int, lost: int) -> None:
    with pytest.raises(ValueError, match="counts"):
        tango(gained, lost, 5)


def test_scores_in_place_of_right_and_wrong_are_refused() -> None:
    with pytest.raises(ValueError, match="bool"):
        paired_difference(np.array([0.2, 0.9]), np.array([0.3, 0.4]))
