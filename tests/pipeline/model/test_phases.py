import os
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.model.networks.building import build
from pipeline.model.networks.contract import Network
from pipeline.model.phases import (
    Phase,
    compile_network,
    divide,
    drop_oldest,
    kept_features,
    plan,
)
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig

pytestmark = pytest.mark.tensorflow

BATCH = np.random.default_rng(3).random((8, 32, 32, 1)).astype(np.float32)


def test_the_network_gives_one_probability_per_image_and_learns_the_same_twice() -> None:
    model = ModelConfig(image_size=32, filters=(4, 8), batch_size=4)
    weights = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(model.seed)
        built = build(model)
        network, (phase,) = built.model, plan(built, model)
        compile_network(network, phase, steps=4, training=TrainingConfig())
        network.fit(BATCH, np.arange(8) % 2, batch_size=4, epochs=1, shuffle=False, verbose=0)
        weights.append(network.predict(BATCH, verbose=0))
    np.testing.assert_array_equal(*weights)
    assert weights[0].shape == (8, 1) and ((weights[0] > 0) & (weights[0] < 1)).all()


def small_network(*trained: tuple[str, ...]) -> Network:
    pixels = keras.Input((16, 16, 1))
    hidden = keras.layers.Conv2D(3, 3, strides=2, name="early")(pixels)
    hidden = keras.layers.BatchNormalization(name="norm")(hidden)
    hidden = keras.layers.Conv2D(4, 3, name="late")(hidden)
    hidden = keras.layers.GlobalAveragePooling2D(name="pooled")(hidden)
    hidden = keras.layers.Dropout(0.3, seed=1, name="dropout")(hidden)
    out = keras.layers.Dense(1, activation="sigmoid", name="probability")(hidden)
    return Network(keras.Model(pixels, out), trained or None)


HEAD, LAST = ("dropout", "probability"), ("late", "dropout", "probability")


def test_a_network_without_phases_is_trained_at_once_with_the_settings() -> None:
    assert plan(small_network(), ModelConfig()) == [Phase(None, 20, 0.003, 0)]


def test_each_further_phase_is_ten_times_slower_and_warms_up() -> None:
    model = ModelConfig(head_epochs=7, epochs=5, learning_rate=0.01)
    head, last = plan(small_network(HEAD, LAST), model)
    assert head == Phase(HEAD, 7, 0.01, 0)
    assert last == Phase(LAST, 5, pytest.approx(0.001), 1)


def test_the_learning_rate_rises_in_the_warm_up_and_then_falls_to_nothing() -> None:
    network = small_network(HEAD, LAST).model
    compile_network(network, Phase(LAST, 5, 0.001, 1), steps=4, training=TrainingConfig())
    rate = network.optimizer._learning_rate
    rates = [float(rate(step)) for step in range(21)]
    assert rates[0] == 0 and rates[4] == pytest.approx(0.001) == max(rates)
    assert rates[:5] == sorted(rates[:5]) and rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[20] == pytest.approx(0, abs=1e-9)


def test_a_divided_network_says_the_same_and_shares_its_weights() -> None:
    network, pixels = small_network(HEAD, LAST).model, BATCH[:, :16, :16]
    wanted = network.predict(pixels, verbose=0)
    parts = divide(network, Phase(HEAD, 1, 0.1, 0))
    assert parts is not None
    frozen, head = parts
    assert [layer.name for layer in head.layers[1:]] == list(HEAD)
    features = frozen.predict(pixels, verbose=0)
    assert features.shape == (8, 4)
    np.testing.assert_allclose(head.predict(features, verbose=0), wanted, atol=1e-6)
    head.get_layer("probability").bias.assign([5.0])
    assert network.get_layer("probability").bias.numpy() == 5.0


@pytest.mark.parametrize("layers", [None, ("early",), ("early", "probability")])
def test_where_the_first_layer_learns_nothing_is_divided_off(
    layers: tuple[str, ...] | None,
) -> None:
    assert divide(small_network(HEAD).model, Phase(layers, 1, 0.1, 0)) is None


def test_features_are_computed_once_for_the_same_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path))
    parts = divide(small_network(HEAD).model, Phase(HEAD, 1, 0.1, 0))
    assert parts is not None
    read: list[str] = []

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        read.append("read")
        yield BATCH[:5, :16, :16], np.arange(5)
        yield BATCH[5:, :16, :16], np.arange(3)

    model = ModelConfig()
    features, labels = kept_features(parts[0], model, "a" * 64, batches)
    again, _ = kept_features(parts[0], model, "a" * 64, batches)
    assert features.shape == (8, 4) and labels.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    np.testing.assert_array_equal(features, again)
    assert len(read) == 1
    kept_features(parts[0], model, "b" * 64, batches)
    parts[0].get_layer("late").bias.assign(np.ones(4))
    other, _ = kept_features(parts[0], model, "a" * 64, batches)
    assert len(read) == 3 and np.abs(other - features).min() > 0.9
    for path in (tmp_path / "features").iterdir():
        path.write_bytes(b"damaged")
    kept_features(parts[0], model, "b" * 64, batches)
    assert len(read) == 4


def test_kept_features_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    for age, name in enumerate(["used", "new", "old", "oldest"]):
        path = tmp_path / name
        path.write_bytes(bytes(10))
        os.utime(path, (1000 - age, 1000 - age))
    drop_oldest(tmp_path, 25)
    assert {path.name for path in tmp_path.iterdir()} == {"used", "new"}
    drop_oldest(tmp_path, 0)
    assert not list(tmp_path.iterdir())
