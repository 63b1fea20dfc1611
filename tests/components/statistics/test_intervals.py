import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import TooFewCases
from components.statistics.intervals import clopper_pearson, wilson

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
    names = "('scipy', 'jsonschema', 'tensorflow', 'tfx', 'statsmodels', 'pandas')"
    code = f"import sys, components.gate.decide; print([m for m in {names} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
