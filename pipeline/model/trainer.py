"""What TFX's Trainer runs: fit on train, stop early and set the operating point on tune."""

import math
import os
from typing import Any

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.records import events
from components.records.clock import utc_now
from components.records.problems import reported
from pipeline.model.batches import Records, open_records, training_batches, tuning_batches
from pipeline.model.export import Classifier, export
from pipeline.model.network import build_network
from pipeline.model.operating_point import choose_operating_point
from pipeline.settings.config import ModelConfig
from pipeline.settings.provenance import environment, git_state


def run_fn(fn_args: Any) -> None:
    """TFX's entry point.

    `fn_args.custom_config` holds `model` (ModelConfig's fields), `record` (the release record so
    far, to which training adds what it finds out) and `problems` (where to report a refusal).
    """
    with reported(fn_args.custom_config["problems"]):
        _train(fn_args)


def _train(fn_args: Any) -> None:
    settings = fn_args.custom_config["model"]
    model = ModelConfig(**{**settings, "filters": tuple(settings["filters"])})
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = open_records(fn_args.train_files, transform, model.image_size)
    tune = open_records(fn_args.eval_files, transform, model.image_size)
    network, findings = fit(model, train, tune)
    classifier = Classifier(network, transform, findings["operating_point"])
    record = {
        **fn_args.custom_config["record"],
        **findings,
        **environment(),
        **git_state(),
        "trained": utc_now(),
    }
    export(classifier, fn_args.serving_model_dir, record)


def fit(model: ModelConfig, train: Records, tune: Records) -> tuple[keras.Model, dict[str, Any]]:
    """The network after the best epoch on the tuning split, and what the record says of it."""
    keras.utils.set_random_seed(model.seed)
    tf.config.experimental.enable_op_determinism()
    steps = model.epochs * math.ceil(train.count / model.batch_size)
    network = build_network(model, steps=steps)
    batches = training_batches(
        train, batch_size=model.batch_size, seed=model.seed, augment=model.augment
    )
    tuning = tuning_batches(tune, batch_size=4 * model.batch_size)
    labels = np.concatenate([label for _, label in tuning.as_numpy_iterator()])
    history = network.fit(
        batches,
        validation_data=tuning,
        epochs=model.epochs,
        class_weight=class_weights(train.positives / train.count),
        callbacks=[
            keras.callbacks.EarlyStopping(
                # Not the loss: class weights move it without moving the ranking.
                "val_auc",
                mode="max",
                patience=model.patience,
                restore_best_weights=True,
            ),
            _Progress(model.epochs),
        ],
        verbose=0,
    )
    scores = network.predict(tuning, verbose=0)[:, 0]
    best = int(np.argmax(history.history["val_auc"]))
    return network, {
        "operating_point": choose_operating_point(
            scores, labels, target_sensitivity=model.target_sensitivity
        ),
        "tuning_auc": float(history.history["val_auc"][best]),
        "tuning_cases": int(labels.size),
        "training_cases": train.count,
        "epochs": len(history.history["loss"]),
        "best_epoch": best + 1,
    }


def class_weights(prevalence: float) -> dict[int, float]:
    """Weights that make both classes count alike.

    Args:
      prevalence: the share of positives in the training split, in (0, 1).
    """
    share = min(max(prevalence, 0.01), 0.99)
    return {0: 0.5 / (1.0 - share), 1: 0.5 / share}


class _Progress(keras.callbacks.Callback):
    """Tells listeners of each finished epoch."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        events.publish(
            "progress",
            detail=f"epoch {epoch + 1}/{self._epochs}  loss {logs.get('loss', 0):.3f}  "
            f"tuning AUC {logs.get('val_auc', 0):.3f}",
            done=epoch + 1,
            total=self._epochs,
        )
