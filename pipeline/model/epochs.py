"""Epochs of a training whose steps are not those of `keras.Model.fit`."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np

_Batch = TypeVar("_Batch")


def run_epochs(
    network: keras.Model,
    batches: Iterable[_Batch],
    *,
    epochs: int,
    step: Callable[[_Batch], tuple[float, float]],
    judge: Callable[[], float],
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[float]:
    """Trains until the last epoch, or until a callback stops it; the tuning AUC after each.

    Args:
      batches: those of an epoch, anew each time.
      step: changes the network by a batch; the mean loss of its images, and how many it has.
      judge: the tuning AUC of the network as it is.
    """
    reached: list[float] = []
    told = keras.callbacks.CallbackList(
        list(callbacks), model=network, epochs=epochs, fed_outside=True
    )
    network.stop_training = False
    told.on_train_begin()
    for epoch in range(epochs):
        told.on_epoch_begin(epoch)
        losses: list[float] = []
        counts: list[float] = []
        for number, batch in enumerate(batches):
            told.on_train_batch_begin(number)
            loss, count = step(batch)
            losses.append(loss)
            counts.append(count)
            told.on_train_batch_end(number, {"loss": loss})
        reached.append(judge())
        loss = float(np.average(losses, weights=counts)) if sum(counts) else 0.0
        told.on_epoch_end(epoch, {"loss": loss, "val_auc": reached[-1]})
        if network.stop_training:
            break
    told.on_train_end()
    return reached
