"""What TFX's Trainer runs: fit on train, stop early and set the operating point on tune."""

import dataclasses
import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.metrics.calls import sensitivity
from components.metrics.outputs import Outputs
from components.records import events
from components.records.clock import utc_now
from components.records.problems import report_error
from components.scoring.operating_point import choose_operating_point
from pipeline.model.batches import Records, open_records, training_batches, tuning_batches
from pipeline.model.board import TrainingBoard
from pipeline.model.cluster import ASKED, train_together
from pipeline.model.export import Classifier, export
from pipeline.model.faults import explained_faults, refuse_nan
from pipeline.model.networks.building import build
from pipeline.model.networks.contract import Network
from pipeline.model.phases import (
    Phase,
    compile_network,
    divide,
    kept_features,
    make_trainable,
    plan,
)
from pipeline.model.private import Promise, fit_private
from pipeline.model.ready_made import pass_through
from pipeline.model.replicated import fit_replicated, lower_precision, open_strategy
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.federation import FederationConfig
from pipeline.settings.provenance import environment, git_state
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import PrivacyConfig, TrainingConfig


def run_fn(fn_args: Any) -> None:
    """TFX's entry point.

    `fn_args.custom_config` holds `model` and `training` (the fields of the settings), `record` (the
    release record so far, to which training adds what it finds out) and `problems` (where to report
    a refusal).
    """
    with report_error(fn_args.custom_config["problems"]):
        _train(fn_args)


def _train(fn_args: Any) -> None:
    model, how = read_settings(fn_args.custom_config)
    record = fn_args.custom_config["record"] | environment() | git_state()
    if model.saved_model is not None:
        sha256 = fn_args.custom_config["network_sha256"]
        pass_through(Path(model.saved_model), sha256, fn_args.serving_model_dir, record)
        return
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    if how.strategy == "multi_worker":
        network, findings = _fit_together(model, fn_args)
    else:
        files = (fn_args.train_files, fn_args.eval_files)
        train, tune = (open_records(each, transform, model.image_size) for each in files)
        board = TrainingBoard(Path(fn_args.model_run_dir), train.count)
        network, findings = fit(model, train, tune, how, watched=(board,))
        findings["step_ms"] = board.step_ms
    point = findings["operating_point"]
    classifier = Classifier(network.model, transform, point, network.explained)
    found = {**findings, "trained": utc_now()}
    export(classifier, fn_args.serving_model_dir, record | found)


def read_settings(given: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """The settings of `model` and `training`, which went through JSON."""
    model = given["model"]
    filters = tuple(model["filters"])
    training = given["training"]
    promise = PrivacyConfig(**training["privacy"])
    federation = FederationConfig(**training["federation"])
    return (
        ModelConfig(**{**model, "filters": filters}),
        TrainingConfig(**{**training, "privacy": promise, "federation": federation}),
    )


def _fit_together(model: ModelConfig, fn_args: Any) -> tuple[Network, dict[str, Any]]:
    """As `fit`, with the other machines of TF_CONFIG."""
    given = fn_args.custom_config
    request = {
        "model": given["model"],
        "training": given["training"],
        "train": list(fn_args.train_files),
        "tune": list(fn_args.eval_files),
        "transform": fn_args.transform_graph_path,
        "board": fn_args.model_run_dir,
        "deciding_sha256": deciding_sha256(),
    }
    weights, found = train_together(request, Path(given["problems"]).with_name(ASKED))
    network = build(model)
    network.model.set_weights(weights)
    return network, found


def fit(
    model: ModelConfig,
    train: Records,
    tune: Records,
    how: TrainingConfig | None = None,
    *,
    strategy: tf.distribute.Strategy | None = None,
    watched: Sequence[keras.callbacks.Callback] = (),
) -> tuple[Network, dict[str, Any]]:
    """The network after the best epoch on the tuning split, and what the record says of it.

    Args:
      strategy: that of `how`, where it had to be opened before.
      watched: called in every phase, beside what training needs itself.
    """
    fix_randomness(model.seed)
    how = how or TrainingConfig()
    strategy = strategy or open_strategy(how)
    with strategy.scope() if strategy else nullcontext():
        built = build(model)
    tuning = tuning_batches(tune, batch_size=4 * model.batch_size)
    labels = np.concatenate([label for _, label in tuning.as_numpy_iterator()])
    promise = _promise(model, how, train, plan(built, model))
    training = _Training(model, how, strategy, built, train, tune, tuning, watched, promise)
    with explained_faults(model, how, devices=training.devices):
        aucs = training.run()
    if how != TrainingConfig():
        trained, built = built, build(model)
        built.model.set_weights(trained.model.get_weights())
    every = list(itertools.chain(*aucs))
    # What looks at no figure cannot tell by its choice; a promise keeps the last weights.
    kept = len(every) - 1 if promise else int(np.argmax(every))
    scores = built.model.predict(tuning, verbose=0)[:, 0]
    point = choose_operating_point(scores, labels, target_sensitivity=model.target_sensitivity)
    return built, {
        "operating_point": point,
        "tuning_sensitivity": tuning_sensitivity(scores, labels, tune.patients(), point),
        "tuning_auc": float(every[kept]),
        "tuning_cases": int(labels.size),
        "training_cases": train.count,
        "epochs": len(every),
        "best_epoch": kept + 1,
        **({"privacy": promise.record} if promise else {}),
        "training": {**dataclasses.asdict(how), "devices": training.devices},
        "phases": [
            {**dataclasses.asdict(phase), "epochs": len(reached), "tuning_auc": float(max(reached))}
            for phase, reached in zip(training.phases, aucs)
        ],
    }


def fix_randomness(seed: int) -> None:
    """Lets the same training give the same weights on this machine, from here on."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _promise(
    model: ModelConfig, how: TrainingConfig, train: Records, phases: Sequence[Phase]
) -> Promise | None:
    """What training has to keep to; None where nothing is promised."""
    if how.privacy.epsilon is None:
        return None
    units = train.patients() if how.privacy.unit == "patient" else np.arange(train.count)
    epochs = sum(phase.epochs for phase in phases)
    return Promise.make(how.privacy, units, batch_size=model.batch_size, epochs=epochs)


@dataclass(frozen=True)
class _Training:
    """What all phases of one training share.

    Attributes:
      strategy: divides batches among devices; None on one.
      network: made in the scope of the strategy.
      tuning: the records of `tune` in batches.
      promise: of differential privacy, if there is one.
    """

    model: ModelConfig
    how: TrainingConfig
    strategy: tf.distribute.Strategy | None
    network: Network
    train: Records
    tune: Records
    tuning: tf.data.Dataset
    watched: Sequence[keras.callbacks.Callback]
    promise: Promise | None

    @property
    def phases(self) -> list[Phase]:
        return plan(self.network, self.model)

    @property
    def devices(self) -> int:
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def run(self) -> list[list[float]]:
        """Trains phase by phase, and leaves the best weights of all; each phase's tuning AUCs."""
        aucs: list[list[float]] = []
        if self.how.mixed_precision:
            lower_precision(self.network.model)
        for number, phase in enumerate(self.phases):
            before = self.network.model.get_weights()
            aucs.append((number == 0 and self._fit_head(phase)) or self._fit_images(number, phase))
            best = max(itertools.chain(*aucs[:-1]), default=-1.0)
            if not self.promise and max(aucs[-1]) <= best:
                self.network.model.set_weights(before)
        return aucs

    def _fit_images(self, number: int, phase: Phase) -> list[float]:
        network, model = self.network.model, self.model
        make_trainable(network, phase)
        if self.promise:
            arrays, seed = self.train.arrays(), model.seed + number if model.augment else None
            return self._fit_private(network, number, phase, arrays, self.tuning, seed)
        batches = training_batches(
            self.train, batch_size=model.batch_size, seed=model.seed, augment=model.augment
        )
        return self._fit(network, number, phase, batches, self.tuning)

    def _fit_head(self, phase: Phase) -> list[float] | None:
        """Trains a first phase on features alone, on one device.

        None where there are none, or where several machines would find features that differ in
        their last bits.
        """
        if phase.layers is None or self.how.strategy == "multi_worker":
            return None
        # Outside of the strategy, whose variables one device alone cannot train.
        copy, weights = build(self.model), self.network.model.get_weights()
        copy.model.set_weights(weights)
        if self.how.mixed_precision:
            lower_precision(copy.model)
        parts = divide(copy.model, plan(copy, self.model)[0])
        if parts is None:
            return None
        frozen, head = parts
        events.publish("progress", detail="features of what stays as it is")
        train, tune = (
            kept_features(frozen, self.model, records.sha256(), partial(self._all, records))
            for records in (self.train, self.tune)
        )
        size, slices = self.model.batch_size, tf.data.Dataset.from_tensor_slices
        make_trainable(head, plan(copy, self.model)[0])
        tuning = slices(tune).batch(4 * size)
        if self.promise:
            aucs = self._fit_private(head, 0, phase, train, tuning, None)
        else:
            batches = slices(train).shuffle(self.train.count, seed=self.model.seed).batch(size)
            aucs = self._fit(head, 0, phase, batches, tuning)
        self.network.model.set_weights(copy.model.get_weights())
        return aucs

    def _all(self, records: Records) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        yield from tuning_batches(records, batch_size=self.model.batch_size)

    def _fit(
        self,
        network: keras.Model,
        number: int,
        phase: Phase,
        batches: tf.data.Dataset,
        tuning: tf.data.Dataset,
    ) -> list[float]:
        """Fits to the phase's best epoch; the tuning AUC after each."""
        strategy = self.strategy if network is self.network.model else None
        steps = math.ceil(self.train.count / self.model.batch_size)
        with strategy.scope() if strategy else nullcontext():
            compile_network(network, phase, steps=steps, training=self.how)
        # Not the loss: class weights move it without moving the ranking.
        stop_early = keras.callbacks.EarlyStopping(
            "val_auc", mode="max", patience=self.model.patience, restore_best_weights=True
        )
        callbacks = [stop_early, *self._callbacks(network, number, phase)]
        weights = class_weights(self.train.positives / self.train.count)
        if strategy:
            return fit_replicated(
                network,
                strategy,
                batches,
                tuning,
                epochs=phase.epochs,
                weights=weights,
                callbacks=callbacks,
            )
        return network.fit(
            batches,
            validation_data=tuning,
            epochs=phase.epochs,
            class_weight=weights,
            callbacks=callbacks,
            shuffle=False,  # the batches are shuffled, by the seed
            verbose=0,
        ).history["val_auc"]

    def _fit_private(
        self,
        network: keras.Model,
        number: int,
        phase: Phase,
        train: tuple[np.ndarray, np.ndarray],
        tuning: tf.data.Dataset,
        augment_seed: int | None,
    ) -> list[float]:
        """Fits to the phase's last epoch; the tuning AUC after each."""
        assert self.promise
        compile_network(network, phase, steps=self.promise.steps, training=self.how)
        return fit_private(
            network,
            *train,
            tuning,
            self.promise,
            epochs=phase.epochs,
            augment_seed=augment_seed,
            callbacks=self._callbacks(network, number, phase),
        )

    def _callbacks(
        self, network: keras.Model, number: int, phase: Phase
    ) -> list[keras.callbacks.Callback]:
        tell = partial(_tell_of_epoch, network, of=phase.epochs, told=self._told(number))
        return [keras.callbacks.LambdaCallback(on_epoch_end=tell), *self.watched]

    def _told(self, number: int) -> str:
        """What the display says before each epoch."""
        count = len(self.phases)
        parts = [f"phase {number + 1}/{count}"] if count > 1 else []
        parts += [f"{self.devices} devices"] if self.strategy else []
        parts += ["XLA"] if self.how.jit_compile else []
        parts += ["float16"] if self.how.mixed_precision else []
        parts += [f"epsilon {self.how.privacy.epsilon:g}"] if self.promise else []
        return "  ".join((*parts, ""))


def tuning_sensitivity(
    scores: np.ndarray, labels: np.ndarray, patients: np.ndarray, point: float
) -> dict[str, float | int]:
    """What was reached at the operating point, which is known no better than its interval says.

    Args:
      scores, labels, patients: shape (n,), of the tuning split; patients as any integers.

    Returns:
      n positives, estimate, and bounds by Clopper and Pearson, 95 % two-sided, several images of a
      patient corrected for.
    """
    tuned = Outputs(labels == 1, scores.astype(np.float64), point, patients)
    return dataclasses.asdict(sensitivity(tuned, alpha=0.025))


def class_weights(prevalence: float) -> dict[int, float]:
    """Weights that make both classes count alike.

    Args:
      prevalence: the share of positives in the training split, in (0, 1).
    """
    share = min(max(prevalence, 0.01), 0.99)
    return {0: 0.5 / (1.0 - share), 1: 0.5 / share}


def _tell_of_epoch(
    network: keras.Model, epoch: int, logs: dict[str, float], *, of: int, told: str
) -> None:
    at = f"epoch {epoch + 1}/{of}"
    refuse_nan(logs, at=at)
    if told:
        at = f"{told}{at}  rate {float(network.optimizer.learning_rate):.1e}"
    detail = f"{at}  loss {logs['loss']:.3f}  tuning AUC {logs['val_auc']:.3f}"
    events.publish("progress", detail=detail, done=epoch + 1, total=of)
