import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from components.records.errors import TooFewCases
from components.statistics.calibration_line import calibration_line


def drawn(seed: int, n: int, slope: float = 1.0, intercept: float = 0.0):  # type: ignore[no-untyped-def]
    """Scores, and labels whose log odds are intercept + slope * logit(score)."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1.5, n)
    labels = rng.random(n) < 1 / (1 + np.exp(-(intercept + slope * logit)))
    return 1 / (1 + np.exp(-logit)), labels


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 2), st.floats(-1, 1))
def test_agrees_with_statsmodels(seed: int, slope: float, intercept: float) -> None:
    scores, labels = drawn(seed, 300, slope, intercept)
    logit = np.log(scores / (1 - scores))
    binomial, y = sm.families.Binomial(), labels.astype(float)
    line = sm.GLM(y, sm.add_constant(logit), family=binomial).fit(tol=1e-12)
    large = sm.GLM(y, np.ones(y.size), family=binomial, offset=logit).fit(tol=1e-12)
    result = calibration_line(scores, labels)
    assert result.slope.estimate == pytest.approx(line.params[1], abs=1e-6)
    assert (result.slope.lower, result.slope.upper) == pytest.approx(
        tuple(line.conf_int()[1]), abs=1e-6
    )
    assert (result.intercept.lower, result.intercept.upper) == pytest.approx(
        tuple(large.conf_int()[0]), abs=1e-6
    )


def test_too_extreme_scores_have_a_slope_below_one_and_too_high_ones_a_negative_intercept() -> None:
    scores, labels = drawn(1, 20000, slope=0.5)
    assert calibration_line(scores, labels).slope.upper < 0.6
    scores, labels = drawn(1, 20000, intercept=-1.0)
    assert calibration_line(scores, labels).intercept.upper < -0.9


def test_simulated_coverage_is_near_the_level() -> None:
    missed_slope = missed_intercept = 0
    for seed in range(800):
        result = calibration_line(*drawn(seed, 300))
        missed_slope += not result.slope.lower <= 1 <= result.slope.upper
        missed_intercept += not result.intercept.lower <= 0 <= result.intercept.upper
    assert 0.025 < missed_slope / 800 < 0.075
    assert 0.025 < missed_intercept / 800 < 0.075


def test_a_symmetric_case_set_has_an_intercept_of_exactly_zero() -> None:
    labels = np.array([True, False, False, False, False, True, True, True, True, False])
    line = calibration_line(np.repeat([0.2, 0.8], 5), labels)
    assert line.intercept.estimate == 0.0 and line.slope.estimate == pytest.approx(1)


def test_scores_of_exactly_zero_and_one_count_as_one_in_a_million() -> None:
    scores, labels = drawn(2, 400)
    scores[:2], near = (0.0, 1.0), scores.copy()
    near[:2] = (1e-6, 1 - 1e-6)
    assert calibration_line(scores, labels) == calibration_line(near, labels)


@pytest.mark.parametrize("turn", [1, -1])
def test_complete_separation_is_an_error(turn: int) -> None:
    scores = np.linspace(0.1, 0.9, 20)[::turn]
    with pytest.raises(TooFewCases, match="separate"):
        calibration_line(scores, np.arange(20) < 10)


@pytest.mark.parametrize("low", [False, True])
def test_separation_up_to_a_tie_is_an_error_too(low: bool) -> None:
    scores = np.array([0.1, 0.2, 0.5, 0.5, 0.8, 0.9])
    with pytest.raises(TooFewCases, match="separate"):
        calibration_line(scores, np.array([low, low, low, not low, not low, not low]))


def test_a_class_without_a_case_is_an_error() -> None:
    with pytest.raises(TooFewCases, match="0 positive"):
        calibration_line(np.array([0.1, 0.2, 0.3]), np.zeros(3, bool))


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        calibration_line(np.array([0.1, np.nan]), np.array([True, False]))


def test_scores_that_are_all_far_too_low_are_moved_up_without_overshooting() -> None:
    # Newton's first step from an intercept of 0 leads a million too far.
    rng = np.random.default_rng(4)
    logits = rng.normal(-13, 0.3, 400)
    labels = rng.random(400) < 0.5
    intercept = calibration_line(1 / (1 + np.exp(-logits)), labels).intercept.estimate
    # The equation of maximum likelihood: as many positives are expected as there are.
    clipped = np.maximum(logits, np.log(1e-6 / (1 - 1e-6)))
    assert (1 / (1 + np.exp(-clipped - intercept))).sum() == pytest.approx(labels.sum(), rel=1e-9)
