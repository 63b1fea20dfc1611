"""Counts of the sites give the operating point that their pooled scores would."""

from dataclasses import replace

import numpy as np
import pytest

from components.federation.tuning import (
    GRID,
    STEPS,
    TuningCounts,
    choose_from_counts,
    count_scores,
)
from components.records.errors import NothingEvaluated, RefusedUpdate
from components.scoring.operating_point import choose_operating_point
from tests.refusing import refused


def drawn(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(size) < 0.4).astype(np.int64)
    logits = rng.normal(3.0 * labels - 1.5, 1.5)
    return 1.0 / (1.0 + np.exp(-logits)), labels


@pytest.mark.parametrize("target", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_counts_give_the_point_of_the_pooled_scores_up_to_a_step(seed: int, target: float) -> None:
    sites = [drawn(10 * seed + site, size) for site, size in enumerate((9000, 4000, 25000))]
    counts = [count_scores(str(site), *each) for site, each in enumerate(sites)]
    found = choose_from_counts(counts, target_sensitivity=target)
    scores, labels = (np.concatenate(each) for each in zip(*sites))
    wanted = choose_operating_point(scores, labels, target_sensitivity=target)
    assert abs(found - wanted) <= 1.0 / STEPS
    assert (scores[labels == 1] >= found).mean() >= target


@pytest.mark.parametrize("size", [1, 2, 5, 30])
@pytest.mark.parametrize("seed", range(20))
def test_few_scores_are_called_alike_but_for_those_within_a_step(seed: int, size: int) -> None:
    scores, labels = drawn(seed, size)
    labels[0] = 1
    found = choose_from_counts([count_scores("a", scores, labels)], target_sensitivity=0.8)
    wanted = choose_operating_point(scores, labels, target_sensitivity=0.8)
    differ = scores[(scores >= found) != (scores >= wanted)]
    last_called = scores[scores >= wanted].min()
    assert (np.floor(differ * STEPS) == np.floor(last_called * STEPS)).all()
    assert (scores[labels == 1] >= found).mean() >= 0.8


def test_the_point_lies_midway_in_the_gap_below_the_last_positive_called() -> None:
    scores, labels = np.array([0.9, 0.8, 0.2, 0.1]), np.array([1, 1, 1, 0])
    found = choose_from_counts([count_scores("a", scores, labels)], target_sensitivity=0.6)
    assert found == pytest.approx((0.8 + 0.201) / 2)


def test_the_order_of_the_sites_and_sites_without_positives_change_nothing() -> None:
    sites = [count_scores(str(seed), *drawn(seed, 200)) for seed in range(3)]
    empty = count_scores("none", np.array([]), np.array([]))
    wanted = choose_from_counts(sites, target_sensitivity=0.9)
    assert choose_from_counts([empty, *sites[::-1]], target_sensitivity=0.9) == wanted


def test_a_score_on_a_threshold_counts_there() -> None:
    counts = count_scores("a", np.array([0.5, 1.0]), np.array([1, 1]))
    assert counts.positives[GRID.index(0.5)] == 2 and counts.positives[GRID.index(0.501)] == 1
    assert counts.positives[-1] == 1 and sum(counts.negatives) == 0


@pytest.mark.parametrize("scores", [[0.2, float("nan")], [1.2, 0.1]])
def test_scores_that_are_no_probabilities_are_refused(scores: list[float]) -> None:
    with refused(NothingEvaluated, "site a", "outside of [0, 1]"):
        count_scores("a", np.array(scores), np.array([1, 0]))


def test_no_positive_at_any_site_is_refused() -> None:
    for sites in ([], [count_scores("a", np.array([0.3]), np.array([0]))]):
        with refused(NothingEvaluated, f"{len(sites)} sites"):
            choose_from_counts(sites, target_sensitivity=0.9)


GOOD = count_scores("a", *drawn(1, 50))


@pytest.mark.parametrize(
    "counts",
    [
        replace(GOOD, positives=GOOD.positives[:-1]),
        replace(GOOD, positives=(0, *GOOD.positives[1:])),
        replace(GOOD, positives=(*GOOD.positives[:-1], -1)),
        replace(GOOD, positives=(float(GOOD.positives[0]), *GOOD.positives[1:])),  # type: ignore[arg-type]
    ],
    ids=["short", "rising", "negative", "not whole"],
)
def test_counts_that_no_scores_have_are_refused(counts: TuningCounts) -> None:
    with refused(RefusedUpdate, "site a", "tuning positives"):
        choose_from_counts([counts], target_sensitivity=0.9)
