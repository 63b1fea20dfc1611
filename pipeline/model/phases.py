"""How a network is trained: all of it at once, or in phases, of which the first has the head alone.

What comes before the head gives the same features in every epoch, so they are computed once.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.cases.files import cache_folder
from components.records.files import sha256_json, write_atomically
from pipeline.model.networks.contract import Network
from pipeline.model.networks.source import hash_source
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig

# By how much each phase learns slower than the one before: trained weights are easily spoilt.
SLOWER = 10.0
# Kept features take no more room than this; what was not used for the longest time goes first.
FEATURES_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
      layers: names of those that it changes; None changes all. A BatchNormalization that is not
        among them keeps its statistics, and normalizes by them.
      warm_up: epochs in which the learning rate rises to `learning_rate`, from 0.
    """

    layers: tuple[str, ...] | None
    epochs: int
    learning_rate: float
    warm_up: int


def plan(network: Network, model: ModelConfig) -> list[Phase]:
    """The phases in their order."""
    if network.trained is None:
        return [Phase(None, model.epochs, model.learning_rate, 0)]
    last = len(network.trained) - 1
    return [
        Phase(
            layers=layers,
            epochs=model.epochs if number == last else model.head_epochs,
            learning_rate=model.learning_rate / SLOWER**number,
            warm_up=min(number, 1),
        )
        for number, layers in enumerate(network.trained)
    ]


def make_trainable(network: keras.Model, phase: Phase) -> None:
    """Lets the phase's layers learn, and no other."""
    if phase.layers is not None:
        for layer in network.layers:
            layer.trainable = layer.name in phase.layers


def compile_network(
    network: keras.Model,
    phase: Phase,
    *,
    steps: int,
    training: TrainingConfig,
    done: int = 0,
    adam: Callable[[keras.optimizers.schedules.LearningRateSchedule], keras.optimizers.Adam] = (
        keras.optimizers.Adam
    ),
) -> None:
    """Readies a network for a phase of `steps` in each epoch.

    The learning rate falls to nothing over all the training there will be: the last epochs then
    settle, and retrainings with other seeds come out closer together.

    Args:
      done: steps of the phase that lie behind, in which others trained.
      adam: makes the optimizer of a learning rate.
    """
    rising, steps = phase.warm_up * steps, phase.epochs * steps
    if rising:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - rising), warmup_target=phase.learning_rate, warmup_steps=rising
        )
    else:
        rate = keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    optimizer: keras.optimizers.Optimizer = adam(_Continued(rate, done) if done else rate)
    if training.mixed_precision:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    network.compile(
        optimizer=optimizer,
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
        jit_compile=training.jit_compile,
    )


class _Continued(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule from a later step on, for an optimizer that counts from 0."""

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, done: int
    ) -> None:
        self.schedule, self.done = schedule, done

    def __call__(self, step: Any) -> Any:
        return self.schedule(step + self.done)


def divide(network: keras.Model, phase: Phase) -> tuple[keras.Model, keras.Model] | None:
    """What comes before the layers of a phase, and the rest, as two models that share its weights.

    None where that is nothing, or more than one tensor goes from it to the rest.
    """
    if phase.layers is None:
        return None
    rest = set(phase.layers)
    try:
        outputs = [(layer.name, _flat(layer.output)) for layer in network.layers]
    except (AttributeError, ValueError):  # a layer is called in more than one place
        return None
    made = {id(tensor): name for name, tensors in outputs for tensor in tensors}
    passed: dict[int, keras.KerasTensor] = {}
    for layer in network.layers:
        given = [] if isinstance(layer, keras.layers.InputLayer) else _flat(layer.input)
        if layer.name in rest or any(made[id(tensor)] in rest for tensor in given):
            rest.add(layer.name)
            passed |= {id(each): each for each in given if made[id(each)] not in rest}
    (first, *more) = passed.values()
    if more or id(first) == id(network.inputs[0]):
        return None
    return keras.Model(network.inputs, first), keras.Model(first, network.outputs[0])


def kept_features(
    frozen: keras.Model,
    model: ModelConfig,
    records: str,
    batches: Callable[[], Iterable[tuple[Any, Any]]],
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, ...) and labels (n,), from the cache where it has those of the same content.

    Args:
      frozen: what makes them.
      records: SHA-256 of what they are made of.
      batches: reads that, as pixels and labels.
    """
    weights = hashlib.sha256(b"".join(each.tobytes() for each in frozen.get_weights())).hexdigest()
    layers = [f"{type(each).__name__} {each.compute_dtype}" for each in frozen.layers]
    code = [deciding_sha256(), hash_source(model.network)]
    known = [*code, model.options, model.image_size, layers, weights, records]
    path = cache_folder() / "features" / f"{sha256_json(known)}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = arrays["features"], arrays["labels"]
        path.touch()  # the least recently used go first
        return kept
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        made = [(frozen.predict_on_batch(pixels), labels) for pixels, labels in batches()]
    features, labels = (np.concatenate(parts) for parts in zip(*made))
    written = io.BytesIO()
    np.savez(written, features=features, labels=labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, written.getvalue())
    drop_oldest(path.parent, FEATURES_BYTES)
    return features, labels


def drop_oldest(folder: Path, most_bytes: int) -> None:
    """Removes files, the least recently used first, until no more than so many bytes are left."""
    files = [(path.stat().st_mtime_ns, path) for path in folder.iterdir() if path.is_file()]
    kept = 0
    for _, path in sorted(files, reverse=True):
        kept += path.stat().st_size
        if kept > most_bytes:
            path.unlink(missing_ok=True)


def _flat(tensors: keras.KerasTensor | list[keras.KerasTensor]) -> list[keras.KerasTensor]:
    return keras.tree.flatten(tensors)
