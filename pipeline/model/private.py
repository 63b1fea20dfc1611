"""Training that promises how little it tells of any one patient, by differential privacy.

Each step draws patients by chance, adds up what each of them says, none of them more than
`clip_norm`, and adds noise that hides any one of them (Abadi and others, 2016, CCS 23:308-318).
"""

import itertools
import math
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow as tf

from components.privacy import mechanism
from components.privacy.mechanism import Mechanism
from pipeline.model.augmentation import augmented
from pipeline.model.convolution import with_matrix_gradients
from pipeline.model.epochs import run_epochs
from pipeline.settings.training import PrivacyConfig

# Of a patient with more, so many are drawn anew at each step.
IMAGES_OF_A_UNIT = 4
# Gradients of single images are held for so many numbers at a time.
GRADIENT_VALUES = 2**25


@dataclass(frozen=True)
class Promise:
    """What is promised of a training, and how it is kept.

    Attributes:
      units: whose each record of the training split is, integers from 0 without a gap.
      batch_size: units drawn for a step, on average.
      epochs: of all phases together.
      secret: 32 bytes, of which every draw and all noise is made; whoever knows them can take the
        noise away.
    """

    privacy: PrivacyConfig
    units: np.ndarray
    batch_size: int
    epochs: int
    secret: bytes

    @classmethod
    def make(
        cls, privacy: PrivacyConfig, units: np.ndarray, *, batch_size: int, epochs: int
    ) -> "Promise":
        """With a secret that nobody keeps."""
        return cls(privacy, units, batch_size, epochs, secrets.token_bytes(32))

    @property
    def steps(self) -> int:
        """In an epoch, which draws every unit once on average."""
        return math.ceil(self._count / self.batch_size)

    @cached_property
    def mechanism(self) -> Mechanism:
        rate = min(1.0, self.batch_size / self._count)
        steps = self.epochs * self.steps
        assert self.privacy.epsilon is not None
        noise = mechanism.least_noise(
            rate=rate, steps=steps, wanted=self.privacy.epsilon, delta=self.privacy.delta
        )
        return Mechanism(noise, rate, steps)

    @cached_property
    def batches(self) -> "Iterator[Batch]":
        """One after the other, through all phases."""
        seed = int.from_bytes(self.secret, "big")
        return poisson_batches(self.units, self.mechanism.rate, np.random.default_rng(seed))

    @cached_property
    def noise(self) -> tf.random.Generator:
        state = np.frombuffer(self.secret[:24], np.int64)
        return tf.random.Generator.from_state(state, alg="philox")

    @property
    def record(self) -> dict[str, Any]:
        """What the release record says; the gate computes its own epsilon of it."""
        return {
            "epsilon": mechanism.epsilon(self.mechanism, self.privacy.delta),
            "delta": self.privacy.delta,
            "unit": self.privacy.unit,
            "adjacency": mechanism.ADJACENCY,
            "sampling": mechanism.SAMPLING,
            **asdict(self.mechanism),
            "clip_norm": self.privacy.clip_norm,
            "images_of_a_unit": IMAGES_OF_A_UNIT,
            "accountant": mechanism.ACCOUNTANT,
            "accountant_version": mechanism.accountant_version(),
            "not_private": list(mechanism.NOT_PRIVATE),
        }

    @property
    def _count(self) -> int:
        return int(self.units.max()) + 1


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
      rows: which records, shape (n,).
      units: whose each of them is, 0 to `count` - 1, shape (n,).
      count: how many units were drawn; may be 0.
    """

    rows: np.ndarray
    units: np.ndarray
    count: int


def poisson_batches(
    units: np.ndarray, rate: float, generator: np.random.Generator
) -> Iterator[Batch]:
    """Batches without end, into each of which every unit comes with `rate`, by a draw of its own.

    Args:
      units: whose each record is, integers from 0 without a gap, shape (n_records,).
    """
    order = np.argsort(units, kind="stable")
    records = np.split(order, np.flatnonzero(np.diff(units[order])) + 1)
    while True:
        drawn = np.flatnonzero(generator.random(len(records)) < rate)
        rows = [_some(records[unit], generator) for unit in drawn]
        yield Batch(
            np.concatenate([np.zeros(0, np.int64), *rows]),
            np.repeat(np.arange(drawn.size), [each.size for each in rows]),
            int(drawn.size),
        )


def _some(records: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if records.size <= IMAGES_OF_A_UNIT:
        return records
    return generator.choice(records, IMAGES_OF_A_UNIT, replace=False)


def unit_gradients(
    network: keras.Model, inputs: tf.Tensor, labels: tf.Tensor, units: tf.Tensor, count: tf.Tensor
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """The gradient of the mean loss of each unit's images, (count, *shape) of each variable.

    The network computes as it will when it is released: nothing is dropped, no statistics of a
    batch are taken, and no image has a part in another's gradient.

    Args:
      inputs, labels, units: of n images, shape (n, ...), (n,) and (n,).

    Returns:
      The gradients, and the loss of each image, shape (n,).
    """
    variables = [each.value for each in network.trainable_variables]

    def of_image(image: tuple[tf.Tensor, tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor]:
        with with_matrix_gradients():
            score = network(image[0][None], training=False)
        loss = keras.losses.binary_crossentropy(image[1][None, None], score)[0]
        return tf.gradients(loss, variables, unconnected_gradients="zero"), loss

    each, losses = tf.vectorized_map(of_image, (inputs, labels))
    return [tf.math.unsorted_segment_mean(one, units, count) for one in each], losses


def clipped_sum(gradients: Sequence[tf.Tensor], clip_norm: float) -> list[tf.Tensor]:
    """The sum over units, to which none adds a vector longer than `clip_norm`.

    Args:
      gradients: (n_units, *shape) of each variable. A unit whose gradient is not finite adds 0.
    """
    squares = [tf.reduce_sum(tf.reshape(one, (tf.shape(one)[0], -1)) ** 2, 1) for one in gradients]
    norms = tf.sqrt(tf.add_n(squares))
    finite = tf.math.is_finite(norms)
    factors = tf.where(finite, tf.minimum(1.0, clip_norm / tf.maximum(norms, 1e-30)), 0.0)

    def scaled(one: tf.Tensor) -> tf.Tensor:
        shape = (-1, *[1] * (len(one.shape) - 1))
        kept = tf.where(tf.reshape(finite, shape), one, 0.0)
        return tf.reduce_sum(kept * tf.reshape(factors, shape), 0)

    return [scaled(one) for one in gradients]


def add_noise(
    sums: Sequence[tf.Tensor], deviation: float, generator: tf.random.Generator
) -> list[tf.Tensor]:
    """Each number with Gaussian noise of its own."""
    return [one + generator.normal(tf.shape(one), stddev=deviation) for one in sums]


class PrivateSteps:
    """Steps of one phase.

    Args:
      network: compiled, with its phase's layers trainable.
      expected: units in a batch on average, by which every sum is divided, whatever was drawn:
        the number drawn would tell of the patients in it.
      augment: makes other images of a batch's, each by itself; None leaves them.
    """

    def __init__(
        self,
        network: keras.Model,
        inputs: np.ndarray,
        labels: np.ndarray,
        *,
        clip_norm: float,
        noise_multiplier: float,
        expected: float,
        noise: tf.random.Generator,
        augment: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self.network, self.inputs, self.labels = network, inputs, labels
        self.clip_norm, self.deviation = clip_norm, noise_multiplier * clip_norm
        self.expected, self.noise = expected, noise
        self.augment = augment or (lambda images: images)
        values = sum(int(np.prod(each.shape)) for each in network.trainable_variables)
        self.units = max(1, GRADIENT_VALUES // (values * IMAGES_OF_A_UNIT))
        network.optimizer.build(network.trainable_variables)
        self.sum_of = tf.function(self._sum_of, reduce_retracing=True, autograph=False)

    def step(self, batch: Batch) -> float:
        """Changes the network by one batch; the mean loss of its images, 0 of none."""
        sums, losses = self.sums(batch)
        noisy = add_noise(sums, self.deviation, self.noise)
        self.apply(noisy)
        return float(np.mean(losses)) if losses else 0.0

    def apply(self, noisy: Sequence[tf.Tensor]) -> None:
        """Changes the network; nothing else of the batch is ever seen by anybody."""
        means = [one / self.expected for one in noisy]
        self.network.optimizer.apply_gradients(zip(means, self.network.trainable_variables))

    def sums(self, batch: Batch) -> tuple[list[tf.Tensor], list[float]]:
        """The clipped sum over a batch, some units at a time, and the loss of each image."""
        sums = [tf.zeros(each.shape) for each in self.network.trainable_variables]
        losses: list[float] = []
        for first in range(0, batch.count, self.units):
            part = (batch.units >= first) & (batch.units < first + self.units)
            rows, count = batch.rows[part], min(self.units, batch.count - first)
            added, each = self.sum_of(
                tf.convert_to_tensor(self.inputs[rows]),
                tf.convert_to_tensor(self.labels[rows]),
                tf.convert_to_tensor(batch.units[part] - first),
                tf.constant(count, tf.int64),
            )
            sums = [one + more for one, more in zip(sums, added)]
            losses += each.numpy().tolist()
        return sums, losses

    def _sum_of(
        self, inputs: tf.Tensor, labels: tf.Tensor, units: tf.Tensor, count: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        images = self.augment(inputs)
        gradients, losses = unit_gradients(self.network, images, labels, units, count)
        return clipped_sum(gradients, self.clip_norm), losses


def fit_private(
    network: keras.Model,
    inputs: np.ndarray,
    labels: np.ndarray,
    tuning: tf.data.Dataset,
    promise: Promise,
    *,
    epochs: int,
    augment_seed: int | None,
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[float]:
    """Trains a phase to its last epoch, whatever the tuning cases say of it meanwhile.

    Args:
      network: compiled.
      inputs, labels: of the training split, shape (n, ...) and (n,).
      augment_seed: of the changes that make other images of a batch's; None leaves them.

    Returns:
      The tuning AUC after each epoch.
    """
    draws = None if augment_seed is None else tf.random.Generator.from_seed(augment_seed)
    steps = PrivateSteps(
        network,
        inputs,
        labels,
        clip_norm=promise.privacy.clip_norm,
        noise_multiplier=promise.mechanism.noise_multiplier,
        expected=promise.mechanism.rate * (int(promise.units.max()) + 1),
        noise=promise.noise,
        augment=draws and (lambda images: augmented(images, draws.uniform_full_int([2], tf.int64))),
    )

    class Epoch:
        def __iter__(self) -> Iterator[Batch]:
            return itertools.islice(promise.batches, promise.steps)

    return run_epochs(
        network,
        Epoch(),
        epochs=epochs,
        step=lambda batch: (steps.step(batch), float(batch.rows.size)),
        judge=lambda: float(network.evaluate(tuning, verbose=0, return_dict=True)["auc"]),
        callbacks=callbacks,
    )
