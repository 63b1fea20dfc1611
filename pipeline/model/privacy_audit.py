"""Whether private training keeps its promise as it is built, by an attack on it.

The accountant computes what a flawless implementation promises. Here made-up members, canaries,
are trained on or left out by a fair coin each, and then guessed from all that training gives away.
Whoever guesses better than epsilon allows has found a fault (Steinke, Nasr and Jagielski, 2023,
NeurIPS 36).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow as tf

from components.records.case import Case, Source
from components.records.errors import ConfigError, SourceError
from components.statistics.membership import epsilon_lower_bound
from pipeline.model.epochs import run_epochs
from pipeline.model.networks.building import build
from pipeline.model.phases import compile_network, plan
from pipeline.model.preprocessing import decoded
from pipeline.model.private import Batch, PrivateSteps, Promise, clipped_sum
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig

# How sure the bound is: a training that keeps its promise is accused in one audit of twenty.
ALPHA = 0.05
# Guessed are the surest twentieth of members and of others, and, on their own, all: few sure
# guesses show a small leak, many guesses a large one. Both were settled beforehand.
SHARES = (0.1, 1.0)
# The gradient of a canary, in multiples of the clip norm: what fails to clip lets it stand out.
LENGTH = 100.0


@dataclass(frozen=True)
class PrivacyAudit:
    """What an audit found.

    Attributes:
      epsilon, delta: of the promise that was tried.
      lower_bound: what the guesses rule out at least, with an error rate of `ALPHA`.
      largest: what they would have ruled out had all been right: a promise above it cannot be
        tried by so few canaries.
      correct: right guesses of how many, for each of `SHARES`.
    """

    epsilon: float
    delta: float
    lower_bound: float
    largest: float
    canaries: int
    steps: int
    correct: tuple[tuple[int, int], ...]

    @property
    def broken(self) -> bool:
        return self.lower_bound > self.epsilon

    @property
    def telling(self) -> bool:
        return self.largest > self.epsilon


def read_training(source: Source, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The training images of a source, (n, size, size, 1) in [0, 1], and their labels, (n,).

    Raises:
      SourceError: a case of it is unusable.
    """
    prepare = tf.function(lambda image: decoded(image, size))
    pixels, labels = [], []
    for shard in source.shards("train"):
        for case in source.read(shard):
            if not isinstance(case, Case):
                raise SourceError(f"{source.name}: {case}")
            pixels.append(prepare(tf.constant(case.image)).numpy())
            labels.append(case.label)
    return np.stack(pixels), np.array(labels, np.float32)


def audit(
    model: ModelConfig,
    how: TrainingConfig,
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    canaries: int,
    seed: int,
) -> PrivacyAudit:
    """Trains the network's last phase on these images and on canaries, and guesses.

    Args:
      how: with a promise of privacy.
      pixels, labels: shape (n, size, size, 1) and (n,); each image is a unit.
      canaries: how many coins are thrown, at most the numbers that the phase trains.

    Raises:
      ConfigError: nothing is promised, or there are more canaries than numbers.
    """
    if how.privacy.epsilon is None:
        raise ConfigError("training.privacy.epsilon: got null, wanted a promise to try")
    keras.utils.set_random_seed(model.seed)
    network = build(model)
    phase = plan(network, model)[-1]
    values = sum(int(np.prod(each.shape)) for each in network.model.trainable_variables)
    if not 20 <= canaries <= values:
        raise ConfigError(f"--canaries: got {canaries}, wanted 20 to {values}, what is trained")
    promise = Promise.make(
        how.privacy, np.arange(labels.size), batch_size=model.batch_size, epochs=phase.epochs
    )
    compile_network(network.model, phase, steps=promise.steps, training=how)
    steps = _AuditedSteps(network.model, pixels, labels, promise, canaries, seed)
    run_epochs(
        network.model,
        list(range(promise.steps)),
        epochs=phase.epochs,
        step=lambda _: (steps.step(next(promise.batches)), 1.0),
        judge=lambda: 0.0,
        callbacks=(),
    )
    return _guessed(steps.seen, steps.members, promise, how)


class _AuditedSteps(PrivateSteps):
    """Steps to which canaries add their gradients, each along a number of its own.

    Attributes:
      members: which canaries are trained on, shape (canaries,).
      seen: the sum over all steps of what came out at each canary's number, less what the images
        added: the promise is kept, too, towards whoever knows all others and their draws.
    """

    def __init__(
        self,
        network: keras.Model,
        pixels: np.ndarray,
        labels: np.ndarray,
        promise: Promise,
        canaries: int,
        seed: int,
    ) -> None:
        super().__init__(
            network,
            pixels,
            labels,
            clip_norm=promise.privacy.clip_norm,
            noise_multiplier=promise.mechanism.noise_multiplier,
            expected=promise.mechanism.rate * labels.size,
            noise=promise.noise,
        )
        self.rate, self.generator = promise.mechanism.rate, np.random.default_rng(seed)
        shapes = [tuple(each.shape) for each in network.trainable_variables]
        self.ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        self.places = self.generator.permutation(int(self.ends[-1]))[:canaries]
        self.members = self.generator.random(canaries) < 0.5
        self.seen = np.zeros(canaries)

    def sums(self, batch: Batch) -> tuple[list[tf.Tensor], list[float]]:
        sums, losses = super().sums(batch)
        self.known = self._at_places(sums)
        drawn = self.members & (self.generator.random(self.members.size) < self.rate)
        places = self.places[drawn]
        if not places.size:
            return sums, losses
        flat = np.zeros((places.size, self.ends[-1]), np.float32)
        flat[np.arange(places.size), places] = LENGTH * self.clip_norm
        parts = np.split(flat, self.ends[:-1], axis=1)
        shaped = [part.reshape(-1, *one.shape) for part, one in zip(parts, sums)]
        added = clipped_sum([tf.constant(part) for part in shaped], self.clip_norm)
        return [one + more for one, more in zip(sums, added)], losses

    def apply(self, noisy: Sequence[tf.Tensor]) -> None:
        super().apply(noisy)
        self.seen += self._at_places(noisy) - self.known

    def _at_places(self, parts: Sequence[tf.Tensor]) -> np.ndarray:
        return np.concatenate([np.ravel(one) for one in parts])[self.places].astype(np.float64)


def _guessed(
    seen: np.ndarray, members: np.ndarray, promise: Promise, how: TrainingConfig
) -> PrivacyAudit:
    order = np.argsort(seen, kind="stable")
    correct = []
    for share in SHARES:
        half = int(share * members.size / 2)
        right = np.count_nonzero(members[order[-half:]]) + np.count_nonzero(~members[order[:half]])
        correct.append((int(right), 2 * half))

    def bound(counts: Sequence[tuple[int, int]]) -> float:
        return max(
            epsilon_lower_bound(
                right, guesses, members.size, delta=how.privacy.delta, alpha=ALPHA / len(SHARES)
            )
            for right, guesses in counts
        )

    assert how.privacy.epsilon is not None
    return PrivacyAudit(
        epsilon=how.privacy.epsilon,
        delta=how.privacy.delta,
        lower_bound=bound(correct),
        largest=bound([(guesses, guesses) for _, guesses in correct]),
        canaries=int(members.size),
        steps=promise.mechanism.steps,
        correct=tuple(correct),
    )
