"""What goes wrong on the machine while a network is trained, as one line that says what to do."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from components.records.errors import ConfigError, DeviceLost, NothingEvaluated
from pipeline.model.networks.building import build
from pipeline.model.networks.source import first_line
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig

LOST = (
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
)
UNFIT_FOR_XLA = (
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.UnimplementedError,
)


@contextmanager
def explained_faults(
    model: ModelConfig, training: TrainingConfig, *, devices: int
) -> Iterator[None]:
    """Raises what TensorFlow says of memory and devices in the words of the settings.

    Raises:
      ConfigError: a batch does not fit the memory, or XLA cannot compile the network.
      DeviceLost: a device, or another machine, failed.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        fits = _fitting_batch(model, training, devices)
        would = f"about {fits} would fit, by a trial" if fits else "not even one image fits"
        raise ConfigError(
            f"model.batch_size: got {model.batch_size}, which does not fit the memory of "
            f"{devices} device(s); {would} (an estimate); lower it, or model.image_size"
        ) from None
    except LOST as error:
        raise DeviceLost(f"training: a device failed: {first_line(error)}") from None
    except UNFIT_FOR_XLA as error:
        if not training.jit_compile:
            raise
        raise ConfigError(
            f"training.jit_compile: XLA cannot compile the network: {first_line(error)}; wanted "
            "false, or another network"
        ) from None


def refuse_nan(logs: Mapping[str, float], *, at: str) -> None:
    """Raises NothingEvaluated where the loss of an epoch is not a number any more."""
    if not math.isfinite(logs["loss"]):
        raise NothingEvaluated(
            f"training, {at}: got the loss {logs['loss']:g}, as the network's output is not "
            "finite; lower model.learning_rate, or look for a division by 0 in the network"
        )


def _fitting_batch(model: ModelConfig, training: TrainingConfig, devices: int) -> int:
    """The largest half, quarter and so on of a batch that one step of a new network bears; or 0."""
    network = build(model).model
    network.compile("adam", "binary_crossentropy", jit_compile=training.jit_compile)
    share = math.ceil(model.batch_size / devices) // 2
    while share:
        pixels = np.zeros((share, *network.input_shape[1:]), np.float32)
        try:
            network.train_on_batch(pixels, np.zeros((share, 1), np.float32))
            break
        except tf.errors.ResourceExhaustedError:
            share //= 2
    keras.utils.clear_session()
    return share * devices
