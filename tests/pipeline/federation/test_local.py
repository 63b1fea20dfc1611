"""A round at a site: reproducible, of the site's images alone, and held back by FedProx."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from components.federation.tuning import choose_from_counts
from components.federation.updates import distance
from components.records.errors import ConfigError, NothingEvaluated
from components.scoring.operating_point import choose_operating_point
from pipeline.federation import local
from pipeline.federation.local import Rounds, count_tuning_scores, train_round, weights_by_name
from pipeline.model.networks.building import build
from pipeline.model.networks.contract import Network
from pipeline.settings.sections import ModelConfig
from tests.pipeline.model.networks.test_building import OWN
from tests.pipeline.model.test_trainer_phases import drawn
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

MODEL = ModelConfig(image_size=16, filters=(4, 4), learning_rate=0.02, batch_size=8, dropout=0.5)
ONE = Rounds(rounds=1, epochs=2)


def network(model: ModelConfig = MODEL) -> Network:
    keras.utils.set_random_seed(1)
    return build(model)


def trained(built: Network, start: list[np.ndarray], **given: Any) -> list[np.ndarray]:
    asked = {"model": MODEL, "rounds": ONE, "number": 1, "seed": 3, **given}
    weights, examples = train_round(built, drawn(1), start, **asked)
    assert examples == 32
    return weights


def moved(weights: list[np.ndarray], start: list[np.ndarray]) -> float:
    return distance(*(dict(zip("abcdefgh", each)) for each in (weights, start)))


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(map(np.array_equal, one, other))


def test_a_round_is_the_same_again_in_a_network_that_learnt_something_else_before() -> None:
    built = network()
    start = built.model.get_weights()
    first = trained(built, start)
    trained(built, first, seed=9)
    assert same(trained(built, start), first)
    assert same(trained(network(), start), first)
    assert moved(first, start) > 0.1


def test_seed_and_number_of_the_round_change_what_is_drawn() -> None:
    built, two = network(), Rounds(rounds=2, epochs=2)
    start = built.model.get_weights()
    first = trained(built, start, rounds=two)
    assert not same(trained(built, start, rounds=two, seed=4), first)
    assert not same(trained(built, start, rounds=two, number=2), first)


def test_the_nearer_mu_holds_the_weights_the_less_they_move() -> None:
    built = network()
    start = built.model.get_weights()
    reached = [
        moved(trained(built, start, rounds=Rounds(1, 2, mu)), start) for mu in (0.0, 1.0, 1e12)
    ]
    assert reached == sorted(reached, reverse=True) and reached[1] < 0.95 * reached[0]
    assert reached[-1] < 1e-6


def test_fedprox_rests_where_loss_and_distance_pull_alike() -> None:
    """On (w - 3)^2 / 2 from 1 with mu = 1: w - 3 + (w - 1) = 0, so w = 2."""
    weight = keras.Variable([1.0])
    adam = local.ProximalAdam(0.05, proximal=1.0, start=[np.array([1.0], np.float32)])
    adam.build([weight])
    for _ in range(200):
        adam.apply([weight - 3.0], [weight])
    assert float(weight[0]) == pytest.approx(2.0, abs=0.01)


def test_the_learning_rate_falls_over_all_rounds() -> None:
    """What the first of two rounds leaves at half is what the second begins with."""
    built, rates = network(), {}
    model = replace(MODEL, batch_size=9)  # the last of 4 batches is not full
    for number in (1, 2):
        rounds = Rounds(rounds=2, epochs=3)
        start = built.model.get_weights()
        trained(built, start, model=model, rounds=rounds, number=number)
        schedule = built.model.optimizer._learning_rate
        rates[number] = [float(schedule(step)) for step in (0, 12)]  # 3 epochs of 4 steps
    (begin, half), (again, end) = rates[1], rates[2]
    assert (begin, end) == (pytest.approx(0.02), pytest.approx(0.0))
    assert half == again == pytest.approx(0.01)


def test_both_classes_count_alike_at_a_site_with_few_positives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = network()
    few = replace(drawn(1), labels=(np.arange(32) % 4 == 3).astype(np.float32), positives=8)
    start = built.model.get_weights()

    def after() -> list[np.ndarray]:
        return train_round(built, few, start, model=MODEL, rounds=ONE, number=1, seed=3)[0]

    found = after()
    monkeypatch.setattr(local, "class_weights", lambda share: {0: 2 / 3, 1: 2.0})
    assert same(after(), found)
    monkeypatch.setattr(local, "class_weights", lambda share: None)
    assert not same(after(), found)


def test_weights_that_no_loss_comes_of_are_refused() -> None:
    built = network()
    start = [np.full_like(each, np.nan) for each in built.model.get_weights()]
    with refused(NothingEvaluated, "training, round 1, epoch 1", "loss nan"):
        trained(built, start)


def test_phases_share_the_rounds_as_they_share_epochs() -> None:
    model = ModelConfig(
        network=f"{OWN}:in_phases", image_size=16, batch_size=8, head_epochs=3, epochs=2
    )
    built = network(model)
    changed = []
    for number in range(1, 6):
        start = built.model.get_weights()
        weights = trained(built, start, model=model, rounds=Rounds(5), number=number)
        changed.append(sum(not np.array_equal(*pair) for pair in zip(start, weights)))
    assert changed[:3] == [2, 2, 2] and min(changed[3:]) > 2


@pytest.mark.parametrize("number", [0, 3])
def test_a_round_that_is_none_is_refused(number: int) -> None:
    built = network()
    with refused(ConfigError, f"round: got {number}", "1 to 2"):
        trained(built, built.model.get_weights(), rounds=Rounds(2), number=number)


def test_weights_have_the_same_names_in_every_network_of_the_settings() -> None:
    one, other = (weights_by_name(network().model) for _ in range(2))
    assert list(one) == list(other) and len(set(one)) == 6
    assert list(one)[:2] == ["000.kernel", "001.bias"]
    assert same(list(one.values()), network().model.get_weights())


def test_counts_of_tuning_cases_give_the_point_of_their_scores() -> None:
    built, records = network(), drawn(2)
    scores = built.model.predict(records.pixels, verbose=0)[:, 0]
    wanted = choose_operating_point(scores, records.labels, target_sensitivity=0.9)
    counts = count_tuning_scores("a", built.model, records, batch_size=8)
    assert (counts.positives[0], counts.negatives[0]) == (16, 16)
    found = choose_from_counts([counts], target_sensitivity=0.9)
    assert ((scores >= found) == (scores >= wanted)).all()
