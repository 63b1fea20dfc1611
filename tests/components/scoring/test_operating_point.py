import numpy as np
import pytest

from components.records.errors import NothingEvaluated
from components.scoring.operating_point import choose_operating_point
from tests.refusing import refused


def chosen(positives: list[float], negatives: list[float], target: float) -> float:
    scores = np.array(positives + negatives)
    labels = np.array([1] * len(positives) + [0] * len(negatives))
    return choose_operating_point(scores, labels, target_sensitivity=target)


def sensitivity(positives: list[float], point: float) -> float:
    return float(np.mean(np.array(positives) >= point))


def test_it_stands_midway_between_the_last_called_positive_and_the_next_score() -> None:
    assert chosen([0.9, 0.8, 0.6, 0.2], [0.5, 0.1], 0.75) == pytest.approx(0.55)


def test_negatives_above_the_last_positive_do_not_move_it() -> None:
    assert chosen([0.9, 0.8], [0.95, 0.85, 0.4], 0.9) == pytest.approx(0.6)


@pytest.mark.parametrize("target", [0.05, 0.5, 0.55, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("count", [1, 7, 20, 100])
def test_the_target_is_reached_with_as_few_calls_as_possible(target: float, count: int) -> None:
    positives = [(i + 1) / 200 for i in range(count)]
    point = chosen(positives, [0.0], target)
    assert sensitivity(positives, point) >= target - 1e-12
    assert sensitivity(positives, point) - 1 / count < target - 1e-12


def test_tied_positives_are_called_together() -> None:
    assert sensitivity([0.9, 0.5, 0.5, 0.5], chosen([0.9, 0.5, 0.5, 0.5], [0.3], 0.5)) == 1.0


def test_a_positive_below_every_other_score_is_still_called() -> None:
    point = chosen([0.2, 0.9], [0.8], 0.99)
    assert 0 < point < 0.2


def test_the_order_of_the_scores_does_not_matter() -> None:
    generator = np.random.default_rng(1)
    scores, labels = generator.random(200), generator.integers(0, 2, 200)
    order = generator.permutation(200)
    point = choose_operating_point(scores, labels, target_sensitivity=0.9)
    assert choose_operating_point(scores[order], labels[order], target_sensitivity=0.9) == point


@pytest.mark.parametrize("scores", [[np.nan, 0.4], [0.6, np.inf], [0.6, np.nan]])
def test_scores_that_are_not_finite_are_refused(scores: list[float]) -> None:
    with refused(NothingEvaluated, "got 1 tuning positives and 1 scores"):
        chosen(scores[:1], scores[1:], 0.9)


def test_a_tuning_split_without_positives_is_refused() -> None:
    with refused(NothingEvaluated, "got 0 tuning positives and 0 scores"):
        chosen([], [0.1, 0.2], 0.9)
