import math
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.records.errors import TooFewCases
from components.statistics.intervals import normal_quantile, wilson
from components.statistics.paired import (
    PAIRED_METHODS,
    difference_of,
    newcombe,
    paired_difference,
    tango,
)

Table = tuple[int, int, int]
# Gained, lost, neither: n is their sum.
TABLES = st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 3000))


def test_agrees_with_fagerland_worked_example() -> None:
    # Fagerland, Lydersen and Laake (2014), Stat Med 33:2850-2875: [[1, 1], [7, 12]].
    bounds = tango(1, 7, 21)
    assert (round(bounds.lower, 3), round(bounds.upper, 3)) == (-0.517, -0.026)


def test_tango_agrees_with_the_interval_of_fagerlands_book() -> None:
    # Fagerland, Lydersen and Laake (2017), Statistical Analysis of Contingency Tables, chapter 8,
    # on Cavo et al. (2012): [[59, 6], [16, 80]].
    bounds = tango(6, 16, 59 + 6 + 16 + 80)
    assert (round(bounds.lower, 4), round(bounds.upper, 4)) == (-0.1240, -0.0054)


def test_newcombe_agrees_with_fagerland_worked_example() -> None:
    # As above, table [[1, 1], [7, 12]].
    bounds = newcombe(1, 1, 7, 12)
    assert (round(bounds.lower, 3), round(bounds.upper, 3)) == (-0.507, -0.026)


def test_newcombe_agrees_with_newcombe() -> None:
    # Newcombe (1998), Stat Med 17:2635-2650, table III, method 10: cells 20, 12, 2, 16.
    bounds = newcombe(20, 12, 2, 16)
    assert (round(bounds.lower, 4), round(bounds.upper, 4)) == (0.0562, 0.3292)


CELLS = st.tuples(*[st.integers(0, 400)] * 4).filter(any)


@given(CELLS)
def test_newcombe_is_ordered_and_mirrors_exactly(cells: tuple[int, int, int, int]) -> None:
    both, gained, lost, neither = cells
    ours, theirs = newcombe(*cells), newcombe(both, lost, gained, neither)
    assert -1 <= ours.lower <= ours.estimate <= ours.upper <= 1
    assert (ours.lower, ours.upper) == (-theirs.upper, -theirs.lower)


@given(CELLS, st.floats(0.05, 1))
def test_effective_counts_mirror_exactly_too(cells: tuple[int, int, int, int], kept: float) -> None:
    both, gained, lost, neither = (count * kept for count in cells)
    for method in PAIRED_METHODS:
        ours = difference_of(both, gained, lost, neither, alpha=0.025, method=method)
        theirs = difference_of(both, lost, gained, neither, alpha=0.025, method=method)
        assert (ours.lower, ours.upper) == (-theirs.upper, -theirs.lower)


@given(CELLS)
def test_newcombe_does_not_ask_which_outcome_is_called_right(
    cells: tuple[int, int, int, int],
) -> None:
    both, gained, lost, neither = cells
    ours, turned = newcombe(*cells), newcombe(neither, lost, gained, both)
    assert turned.lower == pytest.approx(-ours.upper, abs=1e-12)


@given(CELLS, st.floats(0.05, 1))
def test_effective_counts_widen_as_they_shrink(
    cells: tuple[int, int, int, int], kept: float
) -> None:
    both, gained, lost, neither = cells
    whole, shrunk = (
        tango(gained, lost, sum(cells)),
        tango(gained * kept, lost * kept, sum(cells) * kept),
    )
    assert shrunk.lower <= whole.lower + 1e-12 and shrunk.upper >= whole.upper - 1e-12


@given(TABLES, st.floats(0.001, 0.999))
def test_bounds_move_steadily_between_whole_counts(table: Table, part: float) -> None:
    gained, lost, neither = table
    n = gained + lost + neither
    between, at, after = (tango(gained, lost + step, n) for step in (part, 0.0, 1.0))
    assert after.lower <= between.lower <= at.lower


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


# Share of gained and of lost cases.
GRID = [(0.02, 0.02), (0.05, 0.05), (0.1, 0.1), (0.03, 0.08), (0.05, 0.15), (0.0, 0.05), (0.2, 0.3)]


@pytest.mark.parametrize("gained, lost", GRID)
def test_exact_coverage_of_tango_is_near_the_level_on_each_side(gained: float, lost: float) -> None:
    # Over all tables of 70 cases. Tango (1998) reports two-sided coverage of 0.93 and more.
    n, missed_below, missed_above = 70, 0.0, 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            weight = trinomial(n, b, c, gained, lost)
            if weight > 1e-9:
                bounds = tango(b, c, n)
                missed_below += weight * (bounds.lower > gained - lost)
                missed_above += weight * (bounds.upper < gained - lost)
    assert missed_below <= 0.038 and missed_above <= 0.038
    assert missed_below + missed_above <= 0.065


def trinomial(n: int, b: int, c: int, gained: float, lost: float) -> float:
    rest = 1 - gained - lost
    return math.comb(n, b) * math.comb(n - b, c) * gained**b * lost**c * rest ** (n - b - c)


@pytest.mark.parametrize(
    "both, gained, lost", [(0.8, 0.05, 0.05), (0.5, 0.1, 0.2), (0.85, 0.02, 0.08)]
)
def test_simulated_coverage_of_newcombe_is_near_the_level(
    both: float, gained: float, lost: float
) -> None:
    rng = np.random.default_rng(20250331)
    missed = 0
    for cells in rng.multinomial(100, [both, gained, lost, 1 - both - gained - lost], size=2000):
        bounds = newcombe(*map(int, cells))
        missed += not bounds.lower <= gained - lost <= bounds.upper
    assert 0.015 < missed / 2000 < 0.065


def test_each_method_can_be_named_and_no_other() -> None:
    candidate, baseline = np.array([True, True, False, True]), np.array([True, False, True, True])
    named = [paired_difference(candidate, baseline, method=each) for each in PAIRED_METHODS]
    assert named == [tango(1, 1, 4), newcombe(2, 1, 1, 0)]
    with pytest.raises(ValueError, match="did you mean 'tango'"):
        paired_difference(candidate, baseline, method="tanga")


def test_no_case_is_an_error() -> None:
    with pytest.raises(TooFewCases, match="n = 0"):
        tango(0, 0, 0)


@pytest.mark.parametrize("gained, lost", [(-1, 0), (3, 3), (float("nan"), 0)])
def test_impossible_counts_are_refused(gained: float, lost: float) -> None:
    with pytest.raises(ValueError, match="counts"):
        tango(gained, lost, 5)


@pytest.mark.parametrize("both, neither", [(-1, 9), (9, -1)])
def test_impossible_cells_are_refused(both: int, neither: int) -> None:
    with pytest.raises(ValueError, match=f"{both} both right and {neither} both wrong"):
        newcombe(both, 1, 1, neither)


def test_an_agreement_within_the_continuity_correction_is_none() -> None:
    # 2 * 1 - 1 * 1 is less than half of 5 cases: phi is 0, and the two margins add up squared.
    bounds, three_of_five = newcombe(2, 1, 1, 1), wilson(3, 5)
    below, above = 0.6 - float(three_of_five.lower), float(three_of_five.upper) - 0.6
    assert bounds.upper == -bounds.lower == pytest.approx(math.hypot(below, above))


def test_scores_in_place_of_right_and_wrong_are_refused() -> None:
    with pytest.raises(ValueError, match="bool"):
        paired_difference(np.array([0.2, 0.9]), np.array([0.3, 0.4]))


RIGHT = np.array([True, False, True, False])


@pytest.mark.parametrize(
    "other, fault",
    [(RIGHT.astype(float), "wanted bool"), (RIGHT[:3], "wanted one"), (RIGHT[:1], "wanted one")],
)
def test_one_array_that_is_not_like_the_other_is_refused(other: np.ndarray, fault: str) -> None:
    for pair in ((RIGHT, other), (other, RIGHT)):
        with pytest.raises(ValueError, match=fault):
            paired_difference(*pair)


def test_a_table_of_cases_is_refused() -> None:
    table = RIGHT.reshape(2, 2)
    with pytest.raises(ValueError, match="wanted one"):
        paired_difference(table, table)


@pytest.mark.parametrize("method", PAIRED_METHODS)
def test_a_named_method_errs_as_often_as_is_asked(method: str) -> None:
    direct = (
        tango(6, 16, 161, alpha=0.1) if method == "tango" else newcombe(59, 6, 16, 80, alpha=0.1)
    )
    assert difference_of(59, 6, 16, 80, alpha=0.1, method=method) == direct


def exact_score(gained: int, lost: int, n: int, difference: float) -> Decimal:
    """Tango's statistic to fifty digits, where the other root would lose none."""
    d = Decimal(difference)
    b = (2 * n - gained + lost) * d - gained - lost
    q = ((b * b + 8 * n * lost * d * (1 - d)).sqrt() - b) / (4 * n)
    return (gained - lost - n * d) / (n * (2 * q + d * (1 - d))).sqrt()


@pytest.mark.parametrize(
    "gained, lost, n",
    [(3, 0, 10**7), (2, 5, 10**9), (6, 16, 161), (1, 1, 2), (40, 2, 50), (900, 950, 10**4)],
)
def test_a_bound_is_right_to_the_last_digit(gained: int, lost: int, n: int) -> None:
    z = Decimal(normal_quantile(0.025))
    bound = tango(gained, lost, n).lower
    with localcontext(Context(prec=60)):
        assert exact_score(gained, lost, n, bound - 4 * math.ulp(bound)) > z
        assert exact_score(gained, lost, n, bound + 4 * math.ulp(bound)) < z


def by_newcombes_formula(
    both: float, gained: float, lost: float, neither: float, alpha: float
) -> float:
    """The lower bound, from Wilson's roots and phi as the paper writes them."""
    n, z = both + gained + lost + neither, normal_quantile(alpha)

    def roots(x: float) -> tuple[float, float]:
        half = z * math.sqrt(x * (n - x) / n + z * z / 4)
        return (x + z * z / 2 - half) / (n + z * z), (x + z * z / 2 + half) / (n + z * z)

    ours, theirs = both + gained, both + lost
    margins = ours * (n - ours) * theirs * (n - theirs)
    top = both * neither - gained * lost
    phi = 0.0 if margins == 0 else (max(top - n / 2, 0) if top > 0 else top) / math.sqrt(margins)
    below, above = ours / n - roots(ours)[0], roots(theirs)[1] - theirs / n
    return (gained - lost) / n - math.sqrt(below**2 - 2 * phi * below * above + above**2)


@pytest.mark.parametrize("alpha", [0.025, 0.1])
@pytest.mark.parametrize(
    "cells",
    [
        (20, 12, 2, 16),
        (5, 3, 0, 0),  # a margin is 0: no correlation
        (3, 2, 2, 1),
        (0.3, 0.4, 0.2, 0.1),  # effective counts whose margins multiply to less than 1
    ],
)
def test_newcombe_is_the_square_and_add_of_wilsons_limits(
    cells: tuple[float, float, float, float], alpha: float
) -> None:
    expected = by_newcombes_formula(*cells, alpha)
    assert newcombe(*cells, alpha=alpha).lower == pytest.approx(expected, abs=1e-12)
