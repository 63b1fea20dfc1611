"""One round at one site: the network that the round begins with, trained on the site's own images.

Loss, optimizer, learning rate, class weights and augmentation are those of `pipeline.model.trainer`
on one machine. What the sites do together in all rounds is one training: the learning rate falls
over all of it, and phases of a network follow each other as they do there.
"""

import hashlib
import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from components.federation.tuning import TuningCounts, count_scores
from components.records.errors import ConfigError
from pipeline.model.batches import Records, training_batches, tuning_batches
from pipeline.model.faults import explained_faults, refuse_nan
from pipeline.model.networks.contract import Network
from pipeline.model.phases import Phase, compile_network, make_trainable, plan
from pipeline.model.trainer import class_weights, fix_randomness
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig


@dataclass(frozen=True)
class Rounds:
    """How the rounds of a federation train.

    Attributes:
      rounds: how many there are.
      epochs: that a site trains in each.
      proximal: mu of FedProx, 0 or more; 0 is FedAvg.
    """

    rounds: int
    epochs: int = 1
    proximal: float = 0.0


def weights_by_name(network: keras.Model) -> dict[str, npt.NDArray[Any]]:
    """The weights in their order, named alike in every process: Keras numbers layers as it goes."""
    return {
        f"{place:03d}.{weight.name}": np.asarray(weight)
        for place, weight in enumerate(network.weights)
    }


def train_round(
    network: Network,
    records: Records,
    weights: Sequence[npt.NDArray[Any]],
    *,
    model: ModelConfig,
    training: TrainingConfig | None = None,
    rounds: Rounds,
    number: int,
    seed: int,
) -> tuple[list[npt.NDArray[Any]], int]:
    """Trains from `weights` on a site's images; the same arguments give the same weights.

    Args:
      network: of the settings of `model`; whatever it learnt before is forgotten.
      weights: as `network.model.get_weights()`, of the start of the round.
      number: of the round, from 1.
      seed: of everything random, together with the number.

    Returns:
      The weights after the round, and how many images they come from.

    Raises:
      ConfigError, DeviceLost, NothingEvaluated: as training on one machine.

    Source: McMahan et al. (2017), AISTATS, algorithm 1, ClientUpdate; Li et al. (2020), MLSys,
      equation 2.
    """
    training = training or TrainingConfig()
    seed = _seed_of(seed, number)
    fix_randomness(seed)
    network.model.set_weights(weights)
    _restart_random_layers(network.model, seed)
    phase, before = _phase_of(network, model, rounds, number)
    make_trainable(network.model, phase)
    steps = math.ceil(records.count / model.batch_size)
    adam: Any = keras.optimizers.Adam
    if rounds.proximal:
        start = [np.array(variable) for variable in network.model.trainable_variables]
        adam = partial(ProximalAdam, proximal=rounds.proximal, start=start)
    done = before * rounds.epochs * steps
    compile_network(network.model, phase, steps=steps, training=training, done=done, adam=adam)
    batches = training_batches(
        records, batch_size=model.batch_size, seed=seed, augment=model.augment
    )
    tell = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: refuse_nan(logs, at=f"round {number}, epoch {epoch + 1}")
    )
    with explained_faults(model, training, devices=1):
        network.model.fit(
            batches,
            epochs=rounds.epochs,
            class_weight=class_weights(records.positives / records.count),
            callbacks=[tell],
            shuffle=False,  # the batches are shuffled, by the seed
            verbose=0,
        )
    return network.model.get_weights(), records.count


def count_tuning_scores(
    site: str, network: keras.Model, records: Records, *, batch_size: int
) -> TuningCounts:
    """How a site's tuning cases score, as counts that leave the site.

    Raises:
      NothingEvaluated: the network's output is not a probability.
    """
    batches = tuning_batches(records, batch_size=batch_size)
    labels = np.concatenate([label for _, label in batches.as_numpy_iterator()])
    return count_scores(site, network.predict(batches, verbose=0)[:, 0], labels)


class ProximalAdam(keras.optimizers.Adam):
    """Adam on the loss and mu/2 times the squared distance to where the round began.

    The distance is no part of the gradient, which Adam would scale to a step of the same length
    whatever mu is. After each step of Adam the exact minimum is taken of mu/2 |w - start|^2 and the
    distance to that step in the metric of Adam: where it comes to rest, the gradient of the loss
    and that of the distance cancel, and a large mu leaves the weights where they were.

    Args:
      proximal: mu, above 0.
      start: the trainable weights at the start of the round, in their order.
    """

    def __init__(
        self, learning_rate: Any, *, proximal: float, start: Sequence[npt.NDArray[Any]]
    ) -> None:
        super().__init__(learning_rate)
        self._proximal, self._start = proximal, start

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate)
        place = self._get_variable_index(variable)
        taken = ops.cast(self.iterations + 1, variable.dtype)
        corrected = ops.sqrt(1.0 - ops.power(self.beta_2, taken))
        rate = ops.cast(learning_rate, variable.dtype) * corrected
        rate = rate / (ops.sqrt(self._velocities[place]) + self.epsilon)
        start = ops.cast(self._start[place], variable.dtype)
        self.assign(variable, start + (variable - start) / (1.0 + self._proximal * rate))


def _seed_of(seed: int, number: int) -> int:
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _restart_random_layers(network: keras.Model, seed: int) -> None:
    """A layer that draws, such as Dropout, goes on from round to round in one process."""
    for place, variable in enumerate(network.variables):
        if variable.name == "seed_generator_state":
            variable.assign([(seed + place) % 2**31, 0])


def _phase_of(
    network: Network, model: ModelConfig, rounds: Rounds, number: int
) -> tuple[Phase, int]:
    """The phase that a round is in, over all its rounds, and how many of these lie before it.

    Rounds are divided among phases as epochs are.
    """
    if not 1 <= number <= rounds.rounds:
        raise ConfigError(f"round: got {number}, wanted 1 to {rounds.rounds}")
    phases = plan(network, model)
    every = sum(phase.epochs for phase in phases)
    passed = itertools.accumulate((phase.epochs for phase in phases), initial=0)
    ends = [round(rounds.rounds * epochs / every) for epochs in passed]
    place = next(at for at, end in enumerate(ends[1:]) if number <= end)
    start, length = ends[place], ends[place + 1] - ends[place]
    return replace(phases[place], epochs=length * rounds.epochs), number - 1 - start
