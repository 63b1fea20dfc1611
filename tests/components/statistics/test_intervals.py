import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from components.records.errors import TooFewCases
from components.statistics import intervals
from components.statistics.intervals import clopper_pearson, proportion, wilson

# Newcombe (1998), Statistics in Medicine 17:857-872, table I, methods 3 and 5.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662, 0.2527, 0.3676),
    (15, 148, 0.0624, 0.1605, 0.0578, 0.1617),
    (0, 20, 0.0, 0.1611, 0.0, 0.1684),
    (1, 29, 0.0061, 0.1718, 0.0009, 0.1776),
]
COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize("x, n, lower, upper, _exact_lower, _exact_upper", NEWCOMBE)
def test_wilson_agrees_with_newcombe(
    x: int, n: int, lower: float, upper: float, _exact_lower: float, _exact_upper: float
) -> None:
    interval = wilson(x, n)
    assert (round(float(interval.lower), 4), round(float(interval.upper), 4)) == (lower, upper)


@pytest.mark.parametrize("x, n, _lower, _upper, lower, upper", NEWCOMBE)
def test_clopper_pearson_agrees_with_newcombe(
    x: int, n: int, _lower: float, _upper: float, lower: float, upper: float
) -> None:
    interval = clopper_pearson(x, n)
    assert (round(float(interval.lower), 4), round(float(interval.upper), 4)) == (lower, upper)


@given(COUNTS)
def test_bounds_hold_the_share_and_mirror_with_the_other_outcome(counts: tuple[int, int]) -> None:
    x, n = counts
    for interval in (clopper_pearson, wilson):
        bounds, mirrored = interval(x, n), interval(n - x, n)
        assert 0 <= float(bounds.lower) <= x / n <= float(bounds.upper) <= 1
        assert float(bounds.lower) == pytest.approx(1 - float(mirrored.upper), abs=1e-12)


@given(COUNTS, st.sampled_from([0.005, 0.025, 0.05]))
def test_agrees_with_statsmodels(counts: tuple[int, int], alpha: float) -> None:
    for interval, name in ((clopper_pearson, "beta"), (wilson, "wilson")):
        bounds = interval(*counts, alpha=alpha)
        oracle = proportion_confint(*counts, alpha=2 * alpha, method=name)
        assert (bounds.lower, bounds.upper) == pytest.approx(oracle, abs=1e-9)


@given(COUNTS)
def test_each_bound_is_a_one_sided_bound_at_alpha(counts: tuple[int, int]) -> None:
    # At the lower bound as the true share, so many right or more have probability alpha.
    x, n = counts
    bounds = clopper_pearson(x, n, alpha=0.05)
    if x > 0:
        assert binom.sf(x - 1, n, bounds.lower) == pytest.approx(0.05, rel=1e-6)
    if x < n:
        assert binom.cdf(x, n, bounds.upper) == pytest.approx(0.05, rel=1e-6)


@given(COUNTS)
def test_one_more_right_case_raises_both_bounds(counts: tuple[int, int]) -> None:
    x, n = counts
    for interval in (clopper_pearson, wilson):
        before, after = interval(x, n + 1), interval(x + 1, n + 1)
        assert after.lower > before.lower and after.upper > before.upper


@given(COUNTS, st.floats(0.01, 0.99))
def test_effective_counts_lie_between_whole_ones(counts: tuple[int, int], part: float) -> None:
    x, n = counts
    for interval in (clopper_pearson, wilson):
        at, between, after = (interval(x + step, n + 1) for step in (0, part, 1))
        assert at.lower <= between.lower <= after.lower
        assert at.upper <= between.upper <= after.upper


@given(COUNTS, st.floats(0.02, 1))
def test_fewer_effective_cases_widen(counts: tuple[int, int], kept: float) -> None:
    x, n = counts
    for interval in (clopper_pearson, wilson):
        whole, shrunk = interval(x, n), interval(x * kept, n * kept)
        assert shrunk.lower <= whole.lower + 1e-9 and shrunk.upper >= whole.upper - 1e-9


@pytest.mark.parametrize("n", [30, 100, 300])
def test_wilson_covers_near_its_level_on_average(n: int) -> None:
    # Newcombe (1998): 0.9521 on average at a level of 0.95; any single share may fall short.
    x, shares = np.arange(n + 1), np.linspace(0.02, 0.98, 97)
    bounds = wilson(x, n)
    held = (bounds.lower <= shares[:, None]) & (shares[:, None] <= bounds.upper)
    coverage = (binom.pmf(x, n, shares[:, None]) * held).sum(axis=1)
    assert 0.947 < coverage.mean() < 0.957
    assert coverage.min() > 0.9


def test_each_method_can_be_named_and_no_other() -> None:
    assert proportion(3, 9) == clopper_pearson(3, 9)
    assert proportion(3, 9, method="wilson") == wilson(3, 9)
    with pytest.raises(ValueError, match="did you mean 'wilson'"):
        proportion(3, 9, method="wilsen")


def test_clopper_pearson_never_covers_less_than_it_says() -> None:
    n, alpha = 40, 0.025
    x = np.arange(n + 1)
    bounds = clopper_pearson(x, n, alpha=alpha)
    coefficients = np.array(
        [float(np.prod(np.arange(n - k + 1, n + 1) / np.arange(1, k + 1))) for k in x]
    )
    for p in np.linspace(0.01, 0.99, 99):
        probability = coefficients * p**x * (1 - p) ** (n - x)
        assert probability[p < np.asarray(bounds.lower)].sum() <= alpha
        assert probability[p > np.asarray(bounds.upper)].sum() <= alpha


def test_arrays_broadcast() -> None:
    bounds = clopper_pearson(np.array([[0], [3]]), np.array([5, 9]))
    assert np.shape(bounds.lower) == (2, 2)
    assert np.asarray(bounds.upper)[1, 0] == clopper_pearson(3, 5).upper


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
def test_no_case_is_an_error(interval: object) -> None:
    with pytest.raises(TooFewCases, match="n = 0"):
        interval(0, 0)  # type: ignore[operator]


@pytest.mark.parametrize("x, n", [(3, 2), (-1, 2), (float("nan"), 2), (1, float("nan"))])
def test_impossible_counts_are_refused(x: float, n: float) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(x, n)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, float("nan")])
def test_alpha_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        clopper_pearson(1, 2, alpha=alpha)


def test_importing_the_gate_imports_no_scipy_and_no_tensorflow() -> None:
    names = (
        "('scipy', 'jsonschema', 'securesystemslib', 'tensorflow', 'tfx', 'statsmodels', 'pandas')"
    )
    code = f"import sys, components.gate.decide; print([m for m in {names} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_importing_the_statistics_imports_no_scipy() -> None:
    folder = Path(intervals.__file__).parent
    names = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    modules = ", ".join(f"components.statistics.{name}" for name in names)
    code = f"import sys, {modules}; print('scipy' in sys.modules, 'statsmodels' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(names) >= 9 and shown.stdout.split() == ["False", "False"]


def test_counts_beyond_what_whole_numbers_multiply_to_are_counted_exactly() -> None:
    half, whole = np.array([10**10]), np.array([2 * 10**10])
    for interval in intervals.PROPORTION_METHODS.values():
        found = interval(half, whole)
        assert found.lower == pytest.approx(0.5, abs=1e-5) and found.lower < 0.5 < found.upper


def test_an_error_rate_up_to_a_half_has_its_deviate() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.1: .7 of the area lies below.
    assert intervals.normal_quantile(0.3) == pytest.approx(0.5244, abs=5e-5)
