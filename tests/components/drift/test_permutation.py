from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, fisher_exact, multivariate_hypergeom

from components.drift.divergence import Counts, jensen_shannon, l_infinity
from components.drift.permutation import (
    Measure,
    _chance_bound,
    counts_by_quantile,
    fisher_lower,
    fisher_two_sided,
    permutation_p_value,
)

TABLES = st.tuples(st.integers(1, 40), st.integers(1, 60)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)
FEW = [([7, 3, 2], [1, 4, 3]), ([6, 6, 0], [1, 1, 6]), ([4, 4, 4], [2, 2, 2])]


def p_value_of(
    reference: Counts, current: Counts, measure: Measure = jensen_shannon, draws: int = 4000
) -> float:
    return permutation_p_value(
        reference, current, measure, draws=draws, generator=np.random.default_rng(1)
    )


def deals(pooled: Counts, size: int) -> Iterator[tuple[Counts, float]]:
    """Every way to deal `size` of the pooled cases, with its probability."""
    for counts in product(*(range(n + 1) for n in pooled)):
        if sum(counts) == size:
            dealt = np.array(counts)
            yield dealt, float(multivariate_hypergeom.pmf(dealt, pooled, size))


def enumerated(reference: Counts, current: Counts, measure: Measure) -> float:
    """The p value that drawing approaches, over every deal there is."""
    pooled, seen = reference + current, measure(reference, current) - 1e-12
    return sum(
        chance
        for dealt, chance in deals(pooled, int(current.sum()))
        if measure(pooled - dealt, dealt) >= seen
    )


@pytest.mark.parametrize("measure", [jensen_shannon, l_infinity])
@pytest.mark.parametrize("reference, current", FEW)
def test_agrees_with_every_deal_there_is(
    reference: list[int], current: list[int], measure: Measure
) -> None:
    exact = enumerated(np.array(reference), np.array(current), measure)
    p_value = permutation_p_value(
        np.array(reference),
        np.array(current),
        measure,
        draws=4000,
        generator=np.random.default_rng(1),
    )
    # Known to the 20th exceedance: a relative error of about 1 / sqrt(20).
    assert p_value == pytest.approx(exact, rel=0.7, abs=0.002)


@pytest.mark.parametrize("reference, current", FEW)
def test_the_chance_bound_is_never_below_the_truth(
    reference: list[int], current: list[int]
) -> None:
    pooled, size = np.add(reference, current), sum(current)
    for dealt, _ in deals(pooled, size):
        seen = float(jensen_shannon(pooled - dealt, dealt))
        truth = enumerated(pooled - dealt, dealt, jensen_shannon)
        assert _chance_bound(pooled - dealt, dealt, seen) >= truth


class Counting(np.random.Generator):
    """Counts the deals it makes."""

    dealt = 0

    def multivariate_hypergeometric(self, *args: Any, **named: Any) -> Any:
        self.dealt += args[2]
        return super().multivariate_hypergeometric(*args, **named)


def test_no_deal_is_made_where_none_could_reach_it_and_the_answer_is_the_same() -> None:
    reference, current = np.array([900, 100]), np.array([10, 490])
    fast, slow = Counting(np.random.PCG64(1)), Counting(np.random.PCG64(1))
    quickly = permutation_p_value(reference, current, jensen_shannon, draws=999, generator=fast)
    slowly = permutation_p_value(
        reference,
        current,
        lambda p, q: jensen_shannon(p, q),  # not known to be bounded
        draws=999,
        generator=slow,
    )
    assert quickly == slowly == 1 / 1000
    assert (fast.dealt, slow.dealt) == (0, 999)


def test_p_values_of_undrifted_cases_are_as_rare_as_they_say() -> None:
    rng, spans = np.random.default_rng(1), 400
    p_values = [
        permutation_p_value(
            *counts_by_quantile(rng.normal(size=300), rng.normal(size=120)),
            jensen_shannon,
            draws=200,
            generator=rng,
        )
        for _ in range(spans)
    ]
    for alpha in (0.05, 0.2, 0.5):
        seen = int(np.sum(np.array(p_values) <= alpha))
        low, high = binom.ppf([0.001, 0.999], spans, alpha)
        assert low <= seen <= high  # no oftener, and no rarer, which would be want of power


def test_stops_early_where_nothing_drifted() -> None:
    generator = Counting(np.random.PCG64(1))
    counts = np.array([50, 50])
    permutation_p_value(counts, counts, l_infinity, draws=10**6, generator=generator)
    assert generator.dealt < 100


def test_a_share_of_a_value_that_most_cases_have_is_a_bin_of_its_own() -> None:
    before, now = counts_by_quantile(np.full(900, 64.0), np.repeat([32.0, 64.0], [20, 80]))
    assert (before.tolist(), now.tolist()) == ([0, 900], [20, 80])
    before, now = counts_by_quantile(np.full(900, 64.0), np.repeat([64.0, 128.0], [80, 20]))
    assert (before.tolist(), now.tolist()) == ([900, 0], [80, 20])


def test_how_far_out_an_odd_value_lies_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    plain, current = rng.normal(size=499), rng.normal(1, 1, size=200)
    near, far = (counts_by_quantile(np.append(plain, odd), current) for odd in (10.0, 1e6))
    assert np.array_equal(near, far)
    assert p_value_of(*far) < 0.001


def test_every_case_is_in_a_bin_with_enough_cases() -> None:
    rng = np.random.default_rng(2)
    for n, m in ((10, 1000), (35, 60), (400, 4000)):
        before, now = counts_by_quantile(rng.normal(size=m), rng.normal(size=n))
        assert (before.sum(), now.sum()) == (m, n)
        assert (before + now).min() >= 5 * (n + m) / n - 1


@settings(max_examples=40)
@given(TABLES)
def test_fisher_agrees_with_scipy(table: tuple[int, int, int, int]) -> None:
    x, n, x_reference, n_reference = table
    cells = [[x, n - x], [x_reference, n_reference - x_reference]]
    assert fisher_two_sided(*table) == pytest.approx(fisher_exact(cells)[1], rel=1e-6)
    lower = fisher_exact(cells, alternative="less")[1]
    assert fisher_lower(*table) == pytest.approx(lower, rel=1e-6)


def test_fisher_agrees_with_the_tea_taster() -> None:
    # Fisher (1935), The Design of Experiments: 3 of 4 cups told right has p = 17/70 one-sided.
    assert fisher_lower(1, 4, 3, 4) == pytest.approx(17 / 70)
