"""That a private training does what its accountant assumes: draws, bounds and noise."""

import itertools
import os

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.records import events
from pipeline.model.private import (
    IMAGES_OF_A_UNIT,
    Batch,
    PrivateSteps,
    Promise,
    add_noise,
    clipped_sum,
    poisson_batches,
    unit_gradients,
)
from pipeline.model.trainer import fit
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import PrivacyConfig, TrainingConfig
from tests.measure.training import held

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(7)
PIXELS = RNG.random((60, 16, 16, 1), np.float32)
LABELS = (np.arange(60) % 3 == 0).astype(np.float32)
PIXELS[LABELS == 1] += 0.3


def network(*, dropout: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(3)
    pixels = keras.Input((16, 16, 1))
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(pixels)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Dropout(dropout)(keras.layers.GlobalAveragePooling2D()(hidden))
    made = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(hidden))
    made.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
    return made


def steps(made: keras.Model, *, clip_norm: float = 0.05, noise: float = 0.0) -> PrivateSteps:
    return PrivateSteps(
        made,
        PIXELS,
        LABELS,
        clip_norm=clip_norm,
        noise_multiplier=noise,
        expected=10.0,
        noise=tf.random.Generator.from_seed(1),
    )


def gradient_of(made: keras.Model, rows: list[int]) -> list[np.ndarray]:
    """By plain TensorFlow: of the mean loss of these images."""
    with tf.GradientTape() as tape:
        scores = made(PIXELS[rows], training=False)
        loss = tf.reduce_mean(keras.losses.binary_crossentropy(LABELS[rows, None], scores))
    return [np.asarray(each) for each in tape.gradient(loss, made.trainable_variables)]


def norm(parts: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(np.asarray(part, np.float64) ** 2) for part in parts)))


def test_every_unit_is_drawn_by_a_coin_of_its_own() -> None:
    drawn = list(itertools.islice(poisson_batches(np.arange(200), 0.1, RNG), 3000))
    sizes = np.array([batch.count for batch in drawn])
    # A shuffled or fixed-size batch has no variance; a binomial one has 200 * .1 * .9 = 18.
    assert sizes.mean() == pytest.approx(20, abs=0.3) and sizes.var() == pytest.approx(18, rel=0.1)
    members = np.zeros((3000, 200), bool)
    for row, batch in zip(members, drawn):
        row[batch.rows] = True
    together = members[:, 0] & members[:, 1]
    assert together.mean() == pytest.approx(0.01, abs=0.006)
    assert np.corrcoef(members[:-1, 0], members[1:, 0])[0, 1] == pytest.approx(0, abs=0.06)


def test_a_patient_comes_with_all_images_or_with_none_up_to_a_number() -> None:
    units = np.array([0, 1, 1, 2] + [3] * 9)
    for batch in itertools.islice(poisson_batches(units, 0.5, RNG), 50):
        for unit in range(batch.count):
            rows = batch.rows[batch.units == unit]
            (whose,) = set(units[rows])
            wanted = min(int(np.sum(units == whose)), IMAGES_OF_A_UNIT)
            assert len(set(rows)) == len(rows) == wanted


def test_a_units_gradient_is_that_of_the_mean_loss_of_its_images() -> None:
    made = network()
    found, _ = unit_gradients(
        made, PIXELS[:5], LABELS[:5], tf.constant([0, 0, 1, 1, 1]), tf.constant(2)
    )
    for unit, rows in enumerate(([0, 1], [2, 3, 4])):
        for got, wanted in zip(found, gradient_of(made, rows)):
            np.testing.assert_allclose(got[unit], wanted, atol=1e-6)


def test_no_unit_adds_more_than_the_clip_norm_however_long_or_broken_its_gradient_is() -> None:
    parts = [tf.constant([[3.0, 4.0], [0.3, 0.0], [1e18, 1.0], [np.nan, 1.0], [np.inf, 1.0]])]
    for unit, length in enumerate((1.0, 0.3, 1.0, 0.0, 0.0)):
        alone = clipped_sum([part[unit : unit + 1] for part in parts], 1.0)
        assert norm([np.asarray(each) for each in alone]) == pytest.approx(length, abs=1e-6)
    (together,) = clipped_sum(parts, 1.0)
    np.testing.assert_allclose(together, [0.6 + 0.3 + 1.0, 0.8], atol=1e-6)


def test_a_batch_is_the_sum_of_clipped_units_in_however_many_parts() -> None:
    made = network(dropout=0.5)
    batch = Batch(np.arange(20), np.repeat(np.arange(10), 2), 10)
    wanted = [np.zeros(each.shape) for each in made.trainable_variables]
    for unit in range(10):
        gradient = gradient_of(made, [2 * unit, 2 * unit + 1])
        scale = min(1.0, 0.05 / norm(gradient))
        wanted = [one + scale * part for one, part in zip(wanted, gradient)]
    for at_once in (3, 100):
        private = steps(made)
        private.units = at_once
        found, losses = private.sums(batch)
        assert len(losses) == 20
        for got, part in zip(found, wanted):
            np.testing.assert_allclose(got, part, atol=1e-5)


def test_a_step_moves_by_the_sum_over_the_expected_number_not_the_drawn_one() -> None:
    made = network()
    before = [np.asarray(each) for each in made.trainable_variables]
    private = steps(made, clip_norm=0.01)
    batch = Batch(np.arange(3), np.arange(3), 3)
    sums, _ = private.sums(batch)
    private.step(batch)
    for was, now, added in zip(before, made.trainable_variables, sums):
        np.testing.assert_allclose(was - np.asarray(now), np.asarray(added) / 10.0, atol=1e-6)


def test_an_empty_batch_is_a_step_of_noise_alone() -> None:
    made = network()
    before = [np.asarray(each) for each in made.trainable_variables]
    steps(made, noise=1.0).step(Batch(np.zeros(0, int), np.zeros(0, int), 0))
    moved = [np.asarray(now) - was for was, now in zip(before, made.trainable_variables)]
    assert all(np.all(part != 0) for part in moved)


def test_the_noise_has_the_stated_scale_and_no_two_numbers_share_it() -> None:
    zeros = [tf.zeros((300, 400)), tf.zeros(50_000)]
    one, other = add_noise(zeros, 2.5, tf.random.Generator.from_seed(5))
    for part in (one, other):
        assert np.std(part) == pytest.approx(2.5, rel=0.02)
        assert np.mean(part) == pytest.approx(0, abs=0.04)
    assert len(np.unique(np.concatenate([np.ravel(one), other]))) > 165_000


def test_statistics_of_a_batch_are_neither_used_nor_kept() -> None:
    made = network()
    held_back = [np.asarray(each) for each in made.non_trainable_variables]
    steps(made, noise=1.0).step(Batch(np.arange(8), np.arange(8), 8))
    for was, now in zip(held_back, made.non_trainable_variables):
        np.testing.assert_array_equal(was, np.asarray(now))


MODEL = ModelConfig(image_size=16, filters=(4, 8), batch_size=20, epochs=3, patience=1)
HOW = TrainingConfig(privacy=PrivacyConfig(epsilon=3.0))


def trained(monkeypatch: pytest.MonkeyPatch, secret: bytes) -> tuple[list[np.ndarray], dict]:
    monkeypatch.setattr("pipeline.model.private.secrets.token_bytes", lambda count: secret[:count])
    with events.listen(lambda event: None):
        built, found = fit(MODEL, held(PIXELS, LABELS), held(PIXELS, LABELS), HOW)
    return built.model.get_weights(), found


@pytest.mark.slow
def test_a_training_keeps_its_promise_to_the_last_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    one, found = trained(monkeypatch, bytes(range(32)))
    same, _ = trained(monkeypatch, bytes(range(32)))
    other, _ = trained(monkeypatch, bytes(range(1, 33)))
    promise = found["privacy"]
    assert (promise["steps"], promise["rate"]) == (9, pytest.approx(20 / 60))
    assert 2.99 < promise["epsilon"] <= 3.0
    assert (found["epochs"], found["best_epoch"]) == (3, 3)
    assert all(np.array_equal(a, b) for a, b in zip(one, same))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other))


def test_without_a_promise_the_record_states_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with events.listen(lambda event: None):
        _, found = fit(MODEL, held(PIXELS, LABELS), held(PIXELS, LABELS))
    assert "privacy" not in found


def test_the_noise_is_no_function_of_the_published_seed() -> None:
    promises = [Promise.make(HOW.privacy, np.arange(60), batch_size=20, epochs=3) for _ in range(2)]
    assert promises[0].secret != promises[1].secret
