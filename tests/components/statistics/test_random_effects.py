"""Pooled effects against statsmodels' meta-analysis, and the rule where hospitals are alike."""

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from components.statistics.random_effects import pool_effects

# Five hospitals' differences and standard errors, far apart.
EFFECTS = (0.30, -0.20, 0.05, -0.40, 0.10)
ERRORS = (0.05, 0.08, 0.03, 0.10, 0.06)


def test_estimate_bounds_and_spread_are_those_of_statsmodels() -> None:
    wanted = combine_effects(
        np.array(EFFECTS), np.square(ERRORS), method_re="dl", use_t=True, alpha=0.05
    )
    found = pool_effects(EFFECTS, ERRORS, alpha=0.025)
    assert found.tau2 == pytest.approx(wanted.tau2, rel=1e-12)
    assert found.estimate == pytest.approx(wanted.mean_effect_re, rel=1e-12)
    assert found.i2 == pytest.approx(wanted.i2, rel=1e-12)
    wls = wanted.summary_frame().loc["random effect wls"]
    assert (found.lower, found.upper) == pytest.approx((wls["ci_low"], wls["ci_upp"]), rel=1e-9)


def test_bounds_of_hospitals_that_are_alike_are_no_narrower_than_the_plain_ones() -> None:
    found = pool_effects((0.1, 0.1, 0.1), (0.02, 0.02, 0.02), alpha=0.025)
    plain = combine_effects(np.full(3, 0.1), np.full(3, 0.0004), method_re="dl", use_t=True)
    assert (found.tau2, found.i2) == (0, 0)
    assert found.upper - found.lower >= plain.conf_int()[1][1] - plain.conf_int()[1][0] - 1e-12


def test_one_hospital_alone_is_no_meta_analysis() -> None:
    with pytest.raises(AssertionError):
        pool_effects((0.1,), (0.1,), alpha=0.025)
