"""The yardstick: the same network on the same images, as a Keras user would train it.

Same settings, seed, early stopping and class weights as the pipeline; no TFX, no checks, no
record of anything. Prints one line of JSON.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.model.augmentation import augmented
from pipeline.model.networks.building import build
from pipeline.model.phases import compile_network, plan
from pipeline.settings.config import load_config, shipped_config
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig

NPZ_PREFIX = {"train": "train", "tune": "val", "test": "test"}
ABSENT = {"tfx", "tensorflow_transform", "tensorflow_model_analysis", "apache_beam"}
PREDICT_BATCH = 256


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--started", type=float, required=True, help="the monotonic clock then")
    arguments = parser.parse_args()
    model = load_config(shipped_config(arguments.data)).model
    train, train_labels = read_split(arguments.data, "train", model)
    tune, _ = read_split(arguments.data, "tune", model)
    test, test_labels = read_split(arguments.data, "test", model)

    start = time.monotonic()
    network, epochs = fitted(model, train, train_labels, tune)
    fit_seconds = time.monotonic() - start
    scores = network.predict(test.batch(PREDICT_BATCH), verbose=0)[:, 0]
    seconds = time.monotonic() - arguments.started
    if imported := ABSENT & set(sys.modules):
        raise SystemExit(f"plain Keras: got {sorted(imported)} imported, wanted none of them")
    if scores.shape != test_labels.shape or not np.isfinite(scores).all():
        raise SystemExit(f"plain Keras: got scores {scores.shape}, wanted {test_labels.shape}")
    print(json.dumps({"seconds": seconds, "fit_seconds": fit_seconds, "epochs": epochs}))


def read_split(data: str, split: str, model: ModelConfig) -> tuple[tf.data.Dataset, np.ndarray]:
    """Pixels float32 (size, size, 1) in [0, 1] with labels float32, and the labels (n,) alone."""
    if data.endswith(".npz"):
        with np.load(Path(data)) as arrays:
            images = arrays[f"{NPZ_PREFIX[split]}_images"]
            labels = arrays[f"{NPZ_PREFIX[split]}_labels"][:, 0].astype(np.float32)
        pixels = images[..., None].astype(np.float32) / 255.0
        return tf.data.Dataset.from_tensor_slices((pixels, labels)), labels

    from components.phantom.source import PhantomSource

    source = PhantomSource.parse(data)
    cases = [case for shard in source.shards(split) for case in source.read(shard)]
    labels = np.array([case.label for case in cases], np.float32)
    encoded = tf.data.Dataset.from_tensor_slices(([case.image for case in cases], labels))
    side = model.image_size

    def decoded(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_png(image, channels=1)
        resized = tf.image.resize(pixels, [side, side], antialias=True)
        return resized / 255.0, label

    return encoded.map(decoded, num_parallel_calls=tf.data.AUTOTUNE), labels


def fitted(
    model: ModelConfig, train: tf.data.Dataset, labels: np.ndarray, tune: tf.data.Dataset
) -> tuple[keras.Model, int]:
    """The network after its best epoch, and how many epochs there were."""
    keras.utils.set_random_seed(model.seed)
    batches = train.cache().shuffle(labels.size, seed=model.seed).batch(model.batch_size)
    if model.augment:
        seeds = tf.data.Dataset.random(seed=model.seed, rerandomize_each_iteration=True).batch(2)
        batches = tf.data.Dataset.zip(batches, seeds).map(
            lambda batch, pair: (augmented(batch[0], pair), batch[1]),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    built = build(model)
    network = built.model
    (phase,) = plan(built, model)
    steps = -(-labels.size // model.batch_size)
    compile_network(network, phase, steps=steps, training=TrainingConfig())
    positives = float(labels.mean())
    history = network.fit(
        batches.prefetch(tf.data.AUTOTUNE),
        validation_data=tune.batch(4 * model.batch_size).cache(),
        epochs=model.epochs,
        class_weight={0: 0.5 / (1.0 - positives), 1: 0.5 / positives},
        callbacks=[
            keras.callbacks.EarlyStopping(
                "val_auc", mode="max", patience=model.patience, restore_best_weights=True
            )
        ],
        verbose=0,
    )
    return network, len(history.history["loss"])


if __name__ == "__main__":
    main()
