"""What TFX's Trainer runs: fit on train, stop early and set the operating point on tune.

Records become batches in memory where they fit, and are streamed where they don't.
"""

import dataclasses
import itertools
import math
import os
from collections.abc import Iterator, Sequence
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

from components.cases.example import PATIENT_ID
from components.metrics.calls import sensitivity
from components.metrics.outputs import Outputs
from components.records import events
from components.records.clock import utc_now
from components.records.errors import NothingEvaluated
from components.records.files import sha256_file, sha256_json
from components.records.problems import report_error
from pipeline.model.augmentation import augmented
from pipeline.model.export import Classifier, export
from pipeline.model.features import LABEL, PIXELS, RECORD_SPEC
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
from pipeline.model.ready_made import pass_through
from pipeline.settings.provenance import environment, git_state
from pipeline.settings.sections import ModelConfig

# Prepared pixels are kept in memory up to this many bytes; more is decoded again each epoch,
# so that memory does not grow with the data.
CACHE_BYTES = 192 * 2**20
SHUFFLE_RECORDS = 4096
READ_BATCH = 256


@dataclass(frozen=True)
class Records:
    """The records of one split, with the transform that prepares them.

    Attributes:
      files: gzipped TFRecord files.
      prepare: Transform's graph as a layer.
      count, positives: number of records, and of positive ones.
    """

    files: Sequence[str]
    prepare: tf.keras.layers.Layer
    image_size: int
    count: int
    positives: int

    def fits_in_memory(self) -> bool:
        return self.count * self.image_size**2 * 4 <= CACHE_BYTES

    def sha256(self) -> str:
        """Of the files, in their order."""
        return sha256_json([sha256_file(Path(name)) for name in self.files])

    def serialized(self) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(list(self.files), compression_type="GZIP")

    def prepared(self, records: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Batches (pixels float32 (n, size, size, 1), label float32 (n,)) of serialized records."""

        # AutoGraph would rewrite Keras' own code on the way to the layer, for four seconds.
        @tf.autograph.experimental.do_not_convert
        def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            raw = tf.io.parse_example(serialized, RECORD_SPEC)
            features = self.prepare(raw)
            return features[PIXELS], tf.cast(features[LABEL], tf.float32)

        return records.batch(batch_size).map(parse, num_parallel_calls=2).prefetch(2)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All pixels and labels at once, for splits that fit in memory."""
        batches = list(self.prepared(self.serialized(), READ_BATCH).as_numpy_iterator())
        return (
            np.concatenate([pixels for pixels, _ in batches]),
            np.concatenate([labels for _, labels in batches]),
        )

    def patients(self) -> np.ndarray:
        """Whose each record is, in their order: integers, shape (n,)."""
        spec = {PATIENT_ID: tf.io.FixedLenFeature([], tf.string)}
        batches = (
            self.serialized()
            .batch(READ_BATCH)
            .map(lambda serialized: tf.io.parse_example(serialized, spec)[PATIENT_ID])
        )
        ids = np.concatenate(list(batches.as_numpy_iterator()))
        return np.unique(ids, return_inverse=True)[1]


def run_fn(fn_args: Any) -> None:
    """TFX's entry point.

    `fn_args.custom_config` holds `model` (ModelConfig's fields), `record` (the release record so
    far, to which training adds what it finds out) and `problems` (where to report a refusal).
    """
    with report_error(fn_args.custom_config["problems"]):
        _train(fn_args)


def _train(fn_args: Any) -> None:
    settings = fn_args.custom_config["model"]
    model = ModelConfig(**{**settings, "filters": tuple(settings["filters"])})
    record = fn_args.custom_config["record"] | environment() | git_state()
    if model.saved_model is not None:
        sha256 = fn_args.custom_config["network_sha256"]
        pass_through(Path(model.saved_model), sha256, fn_args.serving_model_dir, record)
        return
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = open_records(fn_args.train_files, transform, model.image_size)
    tune = open_records(fn_args.eval_files, transform, model.image_size)
    network, findings = fit(model, train, tune)
    point = findings["operating_point"]
    classifier = Classifier(network.model, transform, point, network.explained)
    found = {**findings, "trained": utc_now()}
    export(classifier, fn_args.serving_model_dir, record | found)


def fit(model: ModelConfig, train: Records, tune: Records) -> tuple[Network, dict[str, Any]]:
    """The network after the best epoch on the tuning split, and what the record says of it."""
    keras.utils.set_random_seed(model.seed)
    tf.config.experimental.enable_op_determinism()
    built = build(model)
    tuning = tuning_batches(tune, batch_size=4 * model.batch_size)
    labels = np.concatenate([label for _, label in tuning.as_numpy_iterator()])
    training = _Training(model, built, train, tune, tuning)
    aucs = training.run()
    every = list(itertools.chain(*aucs))
    scores = built.model.predict(tuning, verbose=0)[:, 0]
    point = choose_operating_point(scores, labels, target_sensitivity=model.target_sensitivity)
    return built, {
        "operating_point": point,
        "tuning_sensitivity": tuning_sensitivity(scores, labels, tune.patients(), point),
        "tuning_auc": float(max(every)),
        "tuning_cases": int(labels.size),
        "training_cases": train.count,
        "epochs": len(every),
        "best_epoch": int(np.argmax(every)) + 1,
        "phases": [
            {**dataclasses.asdict(phase), "epochs": len(reached), "tuning_auc": float(max(reached))}
            for phase, reached in zip(training.phases, aucs)
        ],
    }


@dataclass(frozen=True)
class _Training:
    """What all phases of one training share; `tuning` has the records of `tune` in batches."""

    model: ModelConfig
    network: Network
    train: Records
    tune: Records
    tuning: tf.data.Dataset

    @property
    def phases(self) -> list[Phase]:
        return plan(self.network, self.model)

    def run(self) -> list[list[float]]:
        """Trains phase by phase, and leaves the best weights of all; each phase's tuning AUCs."""
        aucs: list[list[float]] = []
        for number, phase in enumerate(self.phases):
            before = self.network.model.get_weights()
            aucs.append((number == 0 and self._fit_head(phase)) or self._fit_images(number, phase))
            if max(aucs[-1]) <= max(itertools.chain(*aucs[:-1]), default=-1.0):
                self.network.model.set_weights(before)
        return aucs

    def _fit_images(self, number: int, phase: Phase) -> list[float]:
        network, model = self.network.model, self.model
        make_trainable(network, phase)
        batches = training_batches(
            self.train, batch_size=model.batch_size, seed=model.seed, augment=model.augment
        )
        return self._fit(network, number, phase, batches, self.tuning)

    def _fit_head(self, phase: Phase) -> list[float] | None:
        """Trains a first phase on features alone; None where nothing comes before its layers."""
        if phase.layers is None:
            return None
        # Keras marks layers that it divides a network by: GradCam could not look into it any more.
        copy, weights = build(self.model), self.network.model.get_weights()
        copy.model.set_weights(weights)
        parts = divide(copy.model, plan(copy, self.model)[0])
        if parts is None:
            return None
        frozen, head = parts
        events.publish("progress", detail="features of what stays as it is")
        train, tune = (
            tf.data.Dataset.from_tensor_slices(
                kept_features(frozen, self.model, records.sha256(), partial(self._all, records))
            )
            for records in (self.train, self.tune)
        )
        size = self.model.batch_size
        batches = train.shuffle(self.train.count, seed=self.model.seed).batch(size)
        make_trainable(head, plan(copy, self.model)[0])
        aucs = self._fit(head, 0, phase, batches, tune.batch(4 * size))
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
        compile_network(network, phase, steps=math.ceil(self.train.count / self.model.batch_size))
        # Not the loss: class weights move it without moving the ranking.
        stop_early = keras.callbacks.EarlyStopping(
            "val_auc", mode="max", patience=self.model.patience, restore_best_weights=True
        )
        count = len(self.phases)
        told = f"phase {number + 1}/{count}  " if count > 1 else ""
        tell = partial(_tell_of_epoch, network, of=phase.epochs, told=told)
        return network.fit(
            batches,
            validation_data=tuning,
            epochs=phase.epochs,
            class_weight=class_weights(self.train.positives / self.train.count),
            callbacks=[stop_early, keras.callbacks.LambdaCallback(on_epoch_end=tell)],
            shuffle=False,  # the batches are shuffled, by the seed
            verbose=0,
        ).history["val_auc"]


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
    if told:
        at = f"{told}{at}  rate {float(network.optimizer.learning_rate):.1e}"
    detail = f"{at}  loss {logs['loss']:.3f}  tuning AUC {logs['val_auc']:.3f}"
    events.publish("progress", detail=detail, done=epoch + 1, total=of)


def open_records(
    files: Sequence[str], transform: tft.TFTransformOutput, image_size: int
) -> Records:
    """Records of all files in the folders of `files`, counted by reading them through once.

    Args:
      files: as TFX names a split, `FOLDER/*`; nothing but the `*` is a pattern.
    """
    names = sorted(str(path) for pattern in files for path in Path(pattern).parent.iterdir())
    count, positives = _counted(names)
    prepare = transform.transform_features_layer()
    return Records(names, prepare, image_size, count, positives)


def _counted(names: Sequence[str]) -> tuple[int, int]:
    """How many records there are, and how many of them are positive."""
    spec = {LABEL: RECORD_SPEC[LABEL]}
    labels = (
        tf.data.TFRecordDataset(list(names), compression_type="GZIP")
        .batch(READ_BATCH)
        .map(lambda records: tf.io.parse_example(records, spec)[LABEL])
    )
    count = positives = 0
    for batch in labels.as_numpy_iterator():
        count += batch.size
        positives += int(batch.sum())
    return count, positives


def training_batches(
    records: Records, *, batch_size: int, seed: int, augment: bool
) -> tf.data.Dataset:
    """Shuffled, augmented training batches; the same seed gives the same batches."""
    if records.fits_in_memory():
        pixels, labels = (tf.constant(array) for array in records.arrays())
        batches = (
            tf.data.Dataset.range(records.count)
            .shuffle(records.count, seed=seed)
            .batch(batch_size)
            .map(lambda rows: (tf.gather(pixels, rows), tf.gather(labels, rows)))
        )
    else:
        shuffled = records.serialized().shuffle(SHUFFLE_RECORDS, seed=seed)
        batches = records.prepared(shuffled, batch_size)
    if not augment:
        return batches
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return (
        tf.data.Dataset.zip(batches, seeds)
        .map(lambda batch, pair: (augmented(batch[0], pair), batch[1]), num_parallel_calls=2)
        .prefetch(2)
    )


def tuning_batches(records: Records, *, batch_size: int) -> tf.data.Dataset:
    """The tuning records in order."""
    if records.fits_in_memory():
        return tf.data.Dataset.from_tensor_slices(records.arrays()).batch(batch_size)
    return records.prepared(records.serialized(), batch_size)


def choose_operating_point(
    scores: np.ndarray, labels: np.ndarray, *, target_sensitivity: float
) -> float:
    """The highest score at or above which the target share of positives is called.

    Args:
      scores: float, shape (n,), in [0, 1]; the tuning split's.
      labels: shape (n,), 1 positive, 0 negative.
      target_sensitivity: in (0, 1).

    Returns:
      A threshold midway between the last positive that must be called and the next lower
      score, so that rounding in another runtime does not flip that positive.

    Raises:
      NothingEvaluated: no positive, or a score that is not finite.
    """
    positives = np.sort(scores[labels == 1].astype(np.float64))[::-1]
    if positives.size == 0 or not np.isfinite(scores).all():
        raise NothingEvaluated(
            f"operating point: got {positives.size} tuning positives and "
            f"{int((~np.isfinite(scores)).sum())} scores that are not finite, wanted at least one "
            "positive and finite scores; check the tuning split and the training log"
        )
    # 0.55 * 100 is 55.00000000000001, and 55 positives are enough.
    needed = max(1, int(np.ceil(target_sensitivity * positives.size - 1e-9)))
    last_called = positives[needed - 1]
    lower = scores[scores < last_called]
    next_lower = float(lower.max()) if lower.size else 0.0
    return float((last_called + next_lower) / 2.0)
