"""Epsilon against values that others have published or that theory gives exactly."""

import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from components.privacy.mechanism import Mechanism, epsilon, least_noise


def gaussian_epsilon(noise: float, delta: float) -> float:
    """Of one release of a sum with Gaussian noise: theorem 8 of Balle and Wang (2018), ICML."""

    def excess(eps: float) -> float:
        at = 1 / (2 * noise), eps * noise
        return norm.cdf(at[0] - at[1]) - math.exp(eps) * norm.cdf(-at[0] - at[1]) - delta

    return float(brentq(excess, 0, 100))


@pytest.mark.parametrize("noise, delta", [(1.0, 1e-5), (0.5, 1e-5), (3.73, 1e-3)])
def test_one_step_of_everybody_is_the_analytic_gaussian_mechanism(
    noise: float, delta: float
) -> None:
    found = epsilon(Mechanism(noise, 1.0, 1), delta)
    assert found == pytest.approx(gaussian_epsilon(noise, delta), rel=2e-3)


def test_steps_of_everybody_are_one_step_with_less_noise() -> None:
    found = epsilon(Mechanism(6.0, 1.0, 36), 1e-5)
    assert found == pytest.approx(gaussian_epsilon(1.0, 1e-5), rel=2e-3)


def test_the_tutorial_of_60_epochs_on_mnist_stays_below_its_published_bound() -> None:
    # Noise 1.1, 250 of 60,000, delta 1e-5: 2.92 by Rényi's divergence (TensorFlow Privacy's
    # tutorial), which is never below what privacy loss distributions find.
    found = epsilon(Mechanism(1.1, 250 / 60_000, 60 * 240), 1e-5)
    assert 2.2 < found < 2.92


def test_the_least_noise_keeps_what_was_wanted_and_no_less() -> None:
    noise = least_noise(rate=0.05, steps=300, wanted=3.0, delta=1e-5)
    assert 2.99 < epsilon(Mechanism(noise, 0.05, 300), 1e-5) <= 3.0
    assert epsilon(Mechanism(0.98 * noise, 0.05, 300), 1e-5) > 3.0


@pytest.mark.parametrize(
    "made", [(0.0, 0.1, 5), (math.nan, 0.1, 5), (1.0, 0.0, 5), (1.0, 1.1, 5), (1.0, 0.1, 0)]
)
def test_an_impossible_mechanism_is_refused(made: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="got Mechanism"):
        Mechanism(*made)
