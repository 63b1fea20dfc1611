"""SavedModels with `score_pixels`, and tuning cases, from which artefacts are made in tests."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from components.exports.source import TuningCases
from tests.components.cases.making import encoded

SIZE = 16


class Bright(tf.Module):
    """The logit grows with how bright the picture's middle is; `sigmoid` gives its sigmoid."""

    def __init__(self, *, sigmoid: bool = False, seed: int = 0) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.sigmoid = sigmoid
        self.operating_point = tf.Variable(0.5)
        self.filters = tf.Variable(rng.normal(0, 0.2, (3, 3, 1, 8)).astype(np.float32))
        self.blend = tf.Variable(rng.normal(0, 0.2, (3, 3, 8, 16)).astype(np.float32))
        self.weights = tf.Variable(np.full((16, 1), 0.2, np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.float32, name="pixels")])
    def score_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        hidden = tf.nn.relu(tf.nn.conv2d(pixels, self.filters, 2, "SAME"))
        hidden = tf.nn.relu(tf.nn.conv2d(hidden, self.blend, 2, "SAME"))
        middle = tf.reduce_mean(pixels[:, 4:12, 4:12], axis=[1, 2])
        mixed = tf.matmul(tf.reduce_mean(hidden, axis=[1, 2]), self.weights)
        logit = 12.0 * middle - 6.0 + mixed
        return {"logit": tf.sigmoid(logit) if self.sigmoid else logit}


def saved(folder: Path, model: tf.Module | None = None) -> Path:
    model = model or Bright()
    tf.saved_model.save(model, str(folder), signatures={"score_pixels": model.score_pixels})
    return folder


def tuning(count: int = 48, seed: int = 1) -> TuningCases:
    """Pictures of which the brighter ones are positive."""
    rng, pictures = np.random.default_rng(seed), []
    for i in range(count):
        level = 40 + 175 * i // count
        noisy = np.clip(rng.normal(level, 12, (20, 24)), 0, 255)
        pictures.append(encoded(noisy.astype(np.uint8)))
    labels = (np.arange(count) >= count // 2).astype(np.int64)
    return TuningCases([f"case-{i}" for i in range(count)], pictures, labels)


def logits(model: Path, pixels: np.ndarray) -> np.ndarray:
    """By TensorFlow, float32 (n,)."""
    score = tf.saved_model.load(str(model)).signatures["score_pixels"]
    return score(pixels=tf.constant(pixels))["logit"].numpy()[:, 0]
