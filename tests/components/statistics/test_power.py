import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, multinomial

from components.records.errors import TooFewCases
from components.statistics.intervals import proportion
from components.statistics.paired import difference_of, tango
from components.statistics.power import (
    NEGLIGIBLE,
    _likely,
    fewest_cases_for_floor,
    fewest_cases_for_margin,
    most_wrong,
    power_floor,
    power_non_inferiority,
    sample_size_non_inferiority,
    tango_statistic,
)

METHODS = ["tango", "newcombe"]
FLOORS = ["clopper_pearson", "wilson"]


def passes(n: int, margin: float, method: str) -> bool:
    return difference_of(n, 0, 0, 0, alpha=0.025, method=method).lower > -margin


@pytest.mark.parametrize("method", FLOORS)
@pytest.mark.parametrize("wrong", [0, 1, 7])
def test_a_bound_that_equals_the_floor_is_enough(method: str, wrong: int) -> None:
    floor = float(proportion(234 - wrong, 234, method=method).lower)
    assert most_wrong(234, floor, method=method) == wrong
    assert most_wrong(234, math.nextafter(floor, 1), method=method) == (
        wrong - 1 if wrong else None
    )


@pytest.mark.parametrize("method", FLOORS)
@given(n=st.integers(1, 3000), floor=st.floats(0.01, 0.999))
def test_one_more_wrong_case_than_the_most_does_not_pass(method: str, n: int, floor: float) -> None:
    wrong = most_wrong(n, floor, method=method)
    lower = [proportion(n - w, n, method=method).lower for w in range(n + 1)] if n < 50 else []
    if lower:
        assert sum(bound >= floor for bound in lower) == (0 if wrong is None else wrong + 1)
    elif wrong is not None:
        assert proportion(n - wrong, n, method=method).lower >= floor
        assert proportion(n - wrong - 1, n, method=method).lower < floor


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05, 0.1])
def test_fewest_cases_for_a_margin_pass_and_one_fewer_do_not(margin: float, method: str) -> None:
    n = fewest_cases_for_margin(margin, method=method)
    assert n is not None
    assert passes(n, margin, method) and not passes(n - 1, margin, method)


def test_fewest_cases_follow_the_closed_forms() -> None:
    z = NormalDist().inv_cdf(0.975)
    assert fewest_cases_for_margin(0.02) == math.floor(z * z * 0.98 / 0.02) + 1
    assert fewest_cases_for_floor(0.9) == math.ceil(math.log(0.025) / math.log(0.9))
    assert fewest_cases_for_floor(0.9, method="wilson") == math.ceil(z * z * 0.9 / 0.1)


@pytest.mark.parametrize("method", METHODS)
def test_a_bound_that_equals_the_margin_is_not_enough(method: str) -> None:
    margin = -difference_of(200, 0, 0, 0, alpha=0.025, method=method).lower
    assert not passes(200, margin, method)
    assert fewest_cases_for_margin(margin, method=method) == 201


@pytest.mark.parametrize("method", FLOORS)
def test_fewest_cases_for_the_bound_of_n_cases_are_n(method: str) -> None:
    floor = float(proportion(200, 200, method=method).lower)
    assert fewest_cases_for_floor(floor, method=method) == 200


def test_every_answer_follows_the_error_rate_that_is_asked_for() -> None:
    # At 5 % a side: the closed forms of a model without a fault, and the exact bound of one.
    z = NormalDist().inv_cdf(0.95)
    assert fewest_cases_for_margin(0.02, alpha=0.05) == math.floor(z * z * 0.98 / 0.02) + 1
    assert fewest_cases_for_floor(0.9, alpha=0.05) == math.ceil(math.log(0.05) / math.log(0.9))
    floor = float(proportion(93, 100, alpha=0.05).lower)
    assert most_wrong(100, floor, alpha=0.05) == 7 > most_wrong(100, floor)
    passed = binom.cdf(7, 100, 0.04)
    assert power_floor(100, floor, true=0.96, alpha=0.05) == pytest.approx(passed)
    lax, strict = (
        power_non_inferiority(300, 0.05, discordant=0.1, alpha=alpha) for alpha in (0.05, 0.025)
    )
    assert lax > strict + 0.05
    assert sample_size_non_inferiority(0.05, discordant=0.1, alpha=0.05) == pytest.approx(
        liu(0.05, 0.1, 0.0, 0.8, alpha=0.05), rel=0.04
    )


def test_what_no_number_of_cases_can_prove_has_none() -> None:
    assert fewest_cases_for_margin(0) is None and fewest_cases_for_floor(1) is None
    assert most_wrong(10**6, 1) is None
    assert fewest_cases_for_floor(0) == 1


TABLES = st.tuples(*[st.integers(0, 300)] * 3).filter(any)


@given(TABLES, st.floats(0, 0.5))
def test_statistic_decides_as_the_bound_does(table: tuple[int, int, int], margin: float) -> None:
    gained, lost, neither = table
    n = gained + lost + neither
    statistic = tango_statistic(np.array([gained]), np.array([lost]), n, margin)[0]
    lower = tango(gained, lost, n).lower
    if abs(lower + margin) > 1e-12:
        assert (statistic > NormalDist().inv_cdf(0.975)) == (lower > -margin)


@pytest.mark.parametrize("discordant, difference", [(0.1, 0.0), (0.2, -0.08), (0.3, 0.1), (1, 0.2)])
def test_power_is_the_sum_over_all_tables_that_pass(discordant: float, difference: float) -> None:
    n, margin, total = 35, 0.12, 0.0
    gained, lost = (discordant + difference) / 2, (discordant - difference) / 2
    for b in range(n + 1):
        for c in range(n + 1 - b):
            if tango(b, c, n).lower > -margin:
                total += multinomial.pmf([b, c, n - b - c], n, [gained, lost, 1 - gained - lost])
    power = power_non_inferiority(n, margin, discordant=discordant, difference=difference)
    assert power == pytest.approx(total, abs=2e-9)


def test_power_agrees_with_simulation() -> None:
    rng, z = np.random.default_rng(20250331), NormalDist().inv_cdf(0.975)
    gained, lost, _ = rng.multinomial(1500, [0.04, 0.05, 0.91], size=40000).T
    simulated = (tango_statistic(gained, lost, 1500, 0.025) > z).mean()
    power = power_non_inferiority(1500, 0.025, discordant=0.09, difference=-0.01)
    assert power == pytest.approx(simulated, abs=0.01)


# Exact: the chance to pass where the truth lies on the margin. Tango's test is not exact by nature;
# on this grid it keeps the level, at most 0.0248.
@pytest.mark.parametrize("n", [100, 234, 500, 2000])
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("more", [0.0, 0.02, 0.1])
def test_a_loss_of_the_margin_passes_no_more_often_than_alpha(
    n: int, margin: float, more: float
) -> None:
    share = {"discordant": margin + more, "difference": -margin}
    assert power_non_inferiority(n, margin, **share) <= 0.025


@settings(max_examples=40)
@given(st.integers(50, 3000), st.floats(0.01, 0.1), st.floats(0.02, 0.3))
def test_power_is_a_probability_that_grows_with_margin_and_difference(
    n: int, margin: float, discordant: float
) -> None:
    power = power_non_inferiority(n, margin, discordant=discordant)
    assert 0 <= power <= 1
    assert power <= power_non_inferiority(n, margin + 0.01, discordant=discordant) + 1e-9
    better = power_non_inferiority(n, margin, discordant=discordant, difference=discordant / 4)
    assert power <= better + 1e-9


def test_no_discordance_passes_for_certain_or_never() -> None:
    assert power_non_inferiority(189, 0.02, discordant=0) == 1
    assert power_non_inferiority(188, 0.02, discordant=0) == 0


@pytest.mark.parametrize("method", FLOORS)
def test_power_of_a_floor_is_the_binomial_sum(method: str) -> None:
    for n in (99, 300):
        right = np.arange(n + 1)
        held = np.asarray(proportion(right, n, method=method).lower) >= 0.9
        expected = binom.pmf(right, n, 0.94)[held].sum()
        assert power_floor(n, 0.9, true=0.94, method=method) == pytest.approx(expected, abs=1e-12)
    assert power_floor(5, 0.9, true=1.0) == 0


def test_a_share_at_the_floor_passes_no_more_often_than_alpha() -> None:
    for n in (40, 100, 390, 1000):
        assert power_floor(n, 0.9, true=0.9) <= 0.025


def liu(
    margin: float, discordant: float, difference: float, power: float, alpha: float = 0.025
) -> float:
    """Cases by the approximation of Nam (1997) and Liu et al. (2002), Stat Med 21:231-245."""
    # The limit of the lost share under the hypothesis, by Tango's quadratic in shares.
    b = margin * (2 + difference) - discordant
    product = (discordant + difference) / 2 * margin * (1 - margin)
    q = (-b + math.sqrt(b * b + 8 * product)) / 4
    null = 2 * q + margin * (1 - margin)
    true = discordant - difference**2
    z_alpha, z_beta = NormalDist().inv_cdf(1 - alpha), NormalDist().inv_cdf(power)
    return (z_alpha * null**0.5 + z_beta * true**0.5) ** 2 / (margin + difference) ** 2


@pytest.mark.parametrize(
    "margin, discordant, difference",
    [(0.02, 0.08, 0.0), (0.05, 0.1, 0.0), (0.05, 0.1, -0.01), (0.1, 0.2, 0.0), (0.03, 0.15, 0.01)],
)
def test_sample_size_agrees_with_liu(margin: float, discordant: float, difference: float) -> None:
    shares = {"discordant": discordant, "difference": difference}
    n = sample_size_non_inferiority(margin, **shares)
    assert n == pytest.approx(liu(margin, discordant, difference, 0.8), rel=0.04)
    assert power_non_inferiority(n, margin, **shares) >= 0.8
    assert power_non_inferiority(n - 1, margin, **shares) < 0.8
    assert all(power_non_inferiority(n + k, margin, **shares) >= 0.8 for k in range(1, 60))


# Sizes that a search by halves calls the smallest, though a later tooth falls short.
@pytest.mark.parametrize(
    "margin, discordant, power, found, too_few",
    [(0.11, 0.26, 0.49, 86, 85), (0.1, 0.12, 0.7, 92, 91), (0.09, 0.09, 0.56, 72, 71)],
)
def test_a_size_before_a_tooth_that_falls_short_is_no_answer(
    margin: float, discordant: float, power: float, found: int, too_few: int
) -> None:
    reached = [
        n
        for n in range(too_few, 2 * found)
        if power_non_inferiority(n, margin, discordant=discordant) >= power
    ]
    assert reached == list(range(found, 2 * found))
    assert sample_size_non_inferiority(margin, discordant=discordant, power=power) == found


def test_a_power_that_is_just_reached_is_enough() -> None:
    reached = min(power_non_inferiority(n, 0.1, discordant=0.2) for n in range(200, 300))
    (n,) = [n for n in range(200, 300) if power_non_inferiority(n, 0.1, discordant=0.2) == reached]
    assert sample_size_non_inferiority(0.1, discordant=0.2, power=reached) <= n


def test_sizes_for_a_narrow_margin_are_found_without_trying_each() -> None:
    n = sample_size_non_inferiority(0.01, discordant=0.02)
    assert n == pytest.approx(liu(0.01, 0.02, 0.0, 0.8), rel=0.04)


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, float("nan")])
def test_a_power_that_no_size_reaches_or_any_does_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match=f"power {power} "):
        sample_size_non_inferiority(0.05, discordant=0.1, power=power)


def test_sizes_for_a_loss_beyond_the_margin_are_refused() -> None:
    with pytest.raises(ValueError, match="above -0.02"):
        sample_size_non_inferiority(0.02, discordant=0.1, difference=-0.02)


def test_no_case_is_an_error() -> None:
    for asked in (
        lambda: most_wrong(0, 0.9),
        lambda: power_non_inferiority(0, 0.02, discordant=0.1),
        lambda: power_floor(0, 0.9, true=0.95),
    ):
        with pytest.raises(TooFewCases):
            asked()


ASKED = [
    ("floor", lambda share: most_wrong(10, share)),
    ("margin", fewest_cases_for_margin),
    ("floor", fewest_cases_for_floor),
    ("true share", lambda share: power_floor(10, 0.9, true=share)),
    ("margin", lambda share: power_non_inferiority(10, share, discordant=0.1)),
    ("discordant share", lambda share: power_non_inferiority(10, 0.02, discordant=share)),
    (
        "difference",
        lambda share: power_non_inferiority(10, 0.02, discordant=0.05, difference=share),
    ),
]


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan")])
@pytest.mark.parametrize("name, asked", ASKED)
def test_shares_out_of_range_are_refused(
    name: str, asked: Callable[[float], object], wrong: float
) -> None:
    with pytest.raises(ValueError, match=f"^{name}: got {wrong}, "):
        asked(wrong)


@pytest.mark.parametrize("n", [1, 7, 60, 138, 369, 900])
@pytest.mark.parametrize("share", [0.004, 0.05, 0.1268, 0.5, 0.97, 1.0])
def test_no_more_than_a_negligible_part_is_left_out_on_either_side(n: int, share: float) -> None:
    counts, whole = _likely(n, share), np.arange(n + 1)
    assert counts.tolist() == list(range(counts[0], counts[-1] + 1))
    cumulated = binom.cdf(whole, n, share)
    below, after = cumulated[: counts[0]], cumulated[counts[-1] :]
    assert np.all(below <= NEGLIGIBLE / 2) and cumulated[counts[0]] > NEGLIGIBLE / 2
    assert after[0] >= 1 - NEGLIGIBLE / 2
    assert counts.size == 1 or cumulated[counts[-1] - 1] < 1 - NEGLIGIBLE / 2


@given(st.integers(1, 400), st.floats(0.01, 0.6), st.sampled_from([0.05, 0.3, 0.9]))
def test_a_power_is_at_most_one(n: int, discordant: float, margin: float) -> None:
    for difference in (0, discordant):
        power = power_non_inferiority(n, margin, discordant=discordant, difference=difference)
        assert 0 <= power <= 1


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("margin", [0.004, 0.05, 0.25, 0.8])
def test_the_statistic_of_small_tables_is_tangos(n: int, margin: float) -> None:
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            b = (2 * n + gained - lost) * margin - gained - lost
            q = (math.sqrt(b * b + 8 * n * gained * margin * (1 - margin)) - b) / (4 * n)
            expected = gained - lost + n * margin
            expected /= math.sqrt(n * (2 * q + margin * (1 - margin)))
            found = tango_statistic(np.array([gained]), np.array([lost]), n, margin)
            assert found[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_a_statistic_without_variance_is_nothing_and_raises_nothing(margin: float) -> None:
    with np.errstate(all="raise"):
        assert tango_statistic(np.array([0]), np.array([0]), 10, margin).tolist() == [0.0]
        assert 0 <= power_non_inferiority(10, margin, discordant=0.2) < 0.025


@pytest.mark.parametrize("method", FLOORS)
def test_a_floor_of_nothing_is_passed_by_any_count(method: str) -> None:
    assert most_wrong(10, 0.0, method=method) == 10


def test_a_size_is_a_whole_number() -> None:
    sizes = [
        sample_size_non_inferiority(0.05, discordant=0.05),
        fewest_cases_for_margin(0.03),
        fewest_cases_for_floor(0.9),
    ]
    assert all(type(size) is int for size in sizes)
