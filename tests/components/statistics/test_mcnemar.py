import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from components.statistics.mcnemar import mcnemar

COUNTS = st.integers(0, 400)


# [[101, 70], [59, 33]] and so on: by Vassar College's online calculator, as statsmodels' tests
# (stats/tests/test_nonparametric.py) quote it.
@pytest.mark.parametrize(
    "gained, lost, printed, digits",
    [(70, 59, 0.378688, 6), (80, 59, 0.089452, 6), (30, 60, 0.00206, 5)],
)
def test_exact_agrees_with_printed_values(
    gained: int, lost: int, printed: float, digits: int
) -> None:
    assert round(mcnemar(gained, lost).exact, digits) == printed


def test_agrees_with_fagerland_worked_example() -> None:
    # Fagerland, Lydersen and Laake (2014), Stat Med 33:2850-2875: [[1, 1], [7, 12]].
    p = mcnemar(1, 7)
    assert round(p.exact, 4) == 0.0703
    assert round(p.mid_p, 4) == 0.0391
    assert round(p.asymptotic, 4) == 0.0339


@given(COUNTS, COUNTS)
def test_agrees_with_statsmodels(gained: int, lost: int) -> None:
    table, p = [[5, gained], [lost, 5]], mcnemar(gained, lost)
    assert p.exact == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-9)
    if gained + lost:
        oracle = statsmodels_mcnemar(table, exact=False, correction=False).pvalue
        assert p.asymptotic == pytest.approx(oracle, rel=1e-9, abs=1e-300)


@given(COUNTS, COUNTS)
def test_mid_p_leaves_out_half_the_probability_of_what_was_seen(gained: int, lost: int) -> None:
    p, n = mcnemar(gained, lost), gained + lost
    seen = math.comb(n, gained) / 2**n
    assert p.mid_p == pytest.approx(1.0 if gained == lost else p.exact - seen, abs=1e-12)
    assert 0 <= p.mid_p <= p.exact <= 1


@given(COUNTS, COUNTS)
def test_swapping_the_models_changes_nothing(gained: int, lost: int) -> None:
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


def test_no_discordant_case_is_no_evidence() -> None:
    assert mcnemar(0, 0).exact == mcnemar(0, 0).mid_p == mcnemar(0, 0).asymptotic == 1


def test_twice_a_half_that_was_rounded_up_is_no_more_than_certain() -> None:
    assert mcnemar(4, 5).exact == mcnemar(9, 10).exact == 1.0


@pytest.mark.parametrize("n", [20, 60, 200])
def test_type_one_error_is_at_most_the_level_for_exact_and_near_it_for_the_others(n: int) -> None:
    gained = np.arange(n + 1)
    weight = np.array([math.comb(n, int(k)) / 2**n for k in gained])
    p = [mcnemar(int(k), int(n - k)) for k in gained]
    assert weight[[each.exact <= 0.05 for each in p]].sum() <= 0.05
    assert weight[[each.mid_p <= 0.05 for each in p]].sum() <= 0.06
    assert weight[[each.asymptotic <= 0.05 for each in p]].sum() <= 0.06


@pytest.mark.parametrize("gained, lost", [(-1, 0), (1.5, 2), (float("nan"), 0)])
def test_counts_that_are_none_are_refused(gained: float, lost: float) -> None:
    with pytest.raises(ValueError, match="whole counts"):
        mcnemar(gained, lost)  # type: ignore[arg-type]
