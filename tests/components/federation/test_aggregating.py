"""The mean, its robust kin and the cap, by worked examples and by other people's code."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from components.federation.aggregating import Robust, aggregate, site_shares
from components.federation.updates import Update
from components.records.errors import ConfigError, RefusedUpdate
from tests.refusing import refused


def sent(site: str, *values: float, examples: int = 1, dtype: type = np.float32) -> Update:
    return Update(site, 1, {"w": np.array(values, dtype)}, examples)


def drawn(sites: int, seed: int = 0) -> tuple[list[Update], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    names = [f"site{number}" for number in range(sites)]
    weights = [{"a": rng.normal(size=(5, 4)), "b": rng.normal(size=7)} for _ in names]
    before = [rng.normal(size=(5, 4)), rng.normal(size=7)]
    return [Update(n, 1, w, int(rng.integers(1, 999))) for n, w in zip(names, weights)], before


def test_fedavg_is_the_mean_weighted_by_examples() -> None:
    """Three images of four pull three times as hard: (3 * 1 + 1 * 5) / 4 = 2, (3 * 0 + 8) / 4."""
    updates = [sent("a", 1.0, 0.0, examples=300), sent("b", 5.0, 8.0, examples=100)]
    (found,) = aggregate(updates, [np.array([7.0, -7.0], np.float32)])
    assert found.tolist() == [2.0, 2.0] and found.dtype == np.float32


@pytest.mark.parametrize("robust", ["none", "trimmed_mean", "median"])
def test_the_order_of_the_sites_does_not_change_a_bit(robust: Robust) -> None:
    updates, before = drawn(4)
    wanted = aggregate(updates, before, robust=robust, weight_cap=0.4)
    for order in itertools.permutations(updates):
        found = aggregate(order, before, robust=robust, weight_cap=0.4)
        assert [each.tobytes() for each in found] == [each.tobytes() for each in wanted]


@pytest.mark.parametrize("robust", ["none", "trimmed_mean", "median"])
def test_a_weight_that_no_site_changes_stays_to_the_last_bit(robust: Robust) -> None:
    frozen = np.array([0.1, 1e-30, 3.3333333e7], np.float32)
    updates = [Update(site, 1, {"w": frozen}, n) for site, n in zip("abc", (7, 13, 999))]
    (found,) = aggregate(updates, [frozen], robust=robust)
    assert found.tobytes() == frozen.tobytes()


@pytest.mark.parametrize(("sites", "share"), [(3, 1 / 3), (5, 0.2), (10, 0.2), (11, 2 / 11)])
def test_the_trimmed_mean_is_scipy_s(sites: int, share: float) -> None:
    updates, before = drawn(sites)
    found = aggregate(updates, before, robust="trimmed_mean")
    for place, name in enumerate("ab"):
        each = np.stack([update.weights[name] for update in updates])
        wanted = stats.trim_mean(each, share + 1e-9, axis=0)
        np.testing.assert_allclose(found[place], wanted, rtol=1e-12, atol=1e-14)


def test_the_median_is_that_of_each_coordinate() -> None:
    updates = [sent("a", 1.0, 9.0), sent("b", 2.0, -1.0), sent("c", 1e9, 3.0, examples=10**6)]
    (found,) = aggregate(updates, [np.zeros(2, np.float32)], robust="median")
    assert found.tolist() == [2.0, 3.0]


def test_a_mean_is_computed_in_float64() -> None:
    updates = [sent("a", 1e8), sent("b", 1.0), sent("c", -1e8)]
    (found,) = aggregate(updates, [np.zeros(1, np.float32)])
    assert found == np.float32(1 / 3)


def test_what_a_site_has_above_the_cap_goes_to_the_others() -> None:
    """Of 100:20:10:10, capped at 0.4, 0.6 go to the rest by 2:1:1."""
    shares = site_shares({"a": 100, "b": 20, "c": 10, "d": 10}, 0.4)
    assert shares == pytest.approx([0.4, 0.3, 0.15, 0.15])


def test_what_the_cap_frees_may_lift_another_site_above_it() -> None:
    """Of 90:8:1:1, b has 0.08, then 0.48 of 0.6, so that it is capped, too."""
    assert site_shares({"a": 90, "b": 8, "c": 1, "d": 1}, 0.4) == pytest.approx(
        [0.4, 0.4, 0.1, 0.1]
    )


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.floats(0.125, 1.0))
def test_shares_add_up_to_one_and_none_is_above_the_cap(counts: list[int], cap: float) -> None:
    sites = {str(number): count for number, count in enumerate(counts)}
    if cap * len(counts) < 1:
        with refused(ConfigError, "weight cap", f"{len(counts)} sites"):
            site_shares(sites, cap)
        return
    shares = site_shares(sites, cap)
    assert sum(shares) == pytest.approx(1.0) and max(shares) <= cap + 1e-9
    ranked = [share for _, share in sorted(zip(counts, shares))]
    assert ranked == pytest.approx(sorted(shares))


def test_the_cap_holds_in_the_mean() -> None:
    updates = [sent("a", 8.0, examples=10**6), sent("b", 0.0), sent("c", 0.0)]
    (found,) = aggregate(updates, [np.zeros(1, np.float32)], weight_cap=0.5)
    assert found == 4.0


@pytest.mark.parametrize("robust", ["trimmed_mean", "median"])
def test_one_liar_among_three_moves_no_robust_aggregate_beyond_the_honest(robust: Robust) -> None:
    updates = [sent("a", 1.0), sent("b", 2.0), sent("c", -1e6, examples=10**6)]
    (found,) = aggregate(updates, [np.zeros(1, np.float32)], robust=robust)
    assert 1.0 <= found <= 2.0


@pytest.mark.parametrize(("robust", "least"), [("none", 1), ("trimmed_mean", 3), ("median", 3)])
def test_too_few_sites_are_refused(robust: Robust, least: int) -> None:
    updates = [sent(site, 1.0) for site in "abc"][: least - 1]
    with refused(ConfigError, robust, f"updates of {least - 1} sites", f"{least} or more"):
        aggregate(updates, [np.zeros(1, np.float32)], robust=robust)


def test_two_updates_of_one_site_are_refused() -> None:
    with refused(RefusedUpdate, "site a", "two updates"):
        aggregate([sent("a", 1.0), sent("a", 2.0)], [np.zeros(1, np.float32)])
