import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from components.records.errors import TooFewCases
from components.statistics.membership import chance_of_guesses, epsilon_lower_bound


@pytest.mark.parametrize("correct, guesses", [(60, 100), (95, 100), (700, 1000), (100, 100)])
def test_without_delta_it_is_the_logit_of_clopper_and_pearsons_bound(correct, guesses):
    lower, _ = proportion_confint(correct, guesses, alpha=0.1, method="beta")
    bound = epsilon_lower_bound(correct, guesses, guesses, delta=0.0)
    assert bound == pytest.approx(math.log(lower / (1 - lower)), abs=1e-9)


def test_the_chance_is_that_of_the_theorem_summed_term_by_term():
    correct, guesses, members, epsilon, delta = 7, 9, 12, 0.8, 1e-3
    right = math.exp(epsilon) / (1 + math.exp(epsilon))

    def at_least(v):
        return sum(
            math.comb(guesses, k) * right**k * (1 - right) ** (guesses - k)
            for k in range(max(v, 0), guesses + 1)
        )

    most = max((at_least(correct - i) - at_least(correct)) / i for i in range(1, members + 1))
    wanted = at_least(correct) + 2 * members * delta * most
    chance = chance_of_guesses(correct, guesses, members, epsilon=epsilon, delta=delta)
    assert chance == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0])
def test_a_randomized_response_is_seldom_said_to_leak_more_than_it_does(epsilon):
    right = 1 / (1 + math.exp(-epsilon))
    counts = np.random.default_rng(5).binomial(300, right, size=2000)
    bounds = {v: epsilon_lower_bound(int(v), 300, 300, delta=0.0) for v in np.unique(counts)}
    share = np.mean([bounds[v] > epsilon for v in counts])
    assert share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_guesses_no_better_than_a_coin_rule_nothing_out():
    assert epsilon_lower_bound(50, 100, 100, delta=1e-5) == 0.0


@given(st.integers(1, 200), st.data())
def test_more_correct_guesses_never_lower_the_bound(guesses, data):
    correct = data.draw(st.integers(0, guesses - 1))
    bounds = [epsilon_lower_bound(v, guesses, guesses, delta=1e-6) for v in (correct, correct + 1)]
    assert bounds[0] <= bounds[1] + 1e-12


@given(st.integers(1, 200), st.data())
def test_a_larger_delta_never_raises_the_bound(guesses, data):
    correct = data.draw(st.integers(0, guesses))
    bounds = [epsilon_lower_bound(correct, guesses, guesses, delta=d) for d in (1e-6, 1e-3)]
    assert bounds[1] <= bounds[0] + 1e-12


def test_no_guess_is_an_error_and_not_a_bound():
    with pytest.raises(TooFewCases):
        epsilon_lower_bound(0, 0, 10, delta=0.0)


@pytest.mark.parametrize("counts", [(-1, 5, 5), (6, 5, 5), (3, 6, 5)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="guesses about"):
        epsilon_lower_bound(*counts, delta=0.0)
