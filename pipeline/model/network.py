"""The network: small enough for two cores, with its augmentation beside it."""

import keras
import tensorflow as tf
from keras import layers

from pipeline.settings.sections import ModelConfig


def build_network(model: ModelConfig, *, steps: int) -> keras.Model:
    """A convolutional network from (size, size, 1) in [0, 1] to one probability, compiled.

    The learning rate falls to nothing over `steps`, all the training there will be: the last
    epochs then settle, and retrainings with other seeds come out closer together.
    Strides instead of pooling: at these sizes the early, wide layers are what costs.
    """
    pixels = keras.Input((model.image_size, model.image_size, 1), name="pixels")
    hidden = layers.Rescaling(scale=4.0, offset=-2.0)(pixels)
    for filters in model.filters:
        hidden = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(hidden)
    pooled = [layers.GlobalAveragePooling2D()(hidden), layers.GlobalMaxPooling2D()(hidden)]
    hidden = layers.Dropout(model.dropout, seed=model.seed)(layers.Concatenate()(pooled))
    probability = layers.Dense(1, activation="sigmoid", name="probability")(hidden)
    network = keras.Model(pixels, probability, name="casegate")
    rate = keras.optimizers.schedules.CosineDecay(model.learning_rate, steps)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return network


def augmented(pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The batch, each image shifted, turned, zoomed and re-exposed a little.

    Args:
      pixels: float32 (n, size, size, 1) in [0, 1].
      seed: int64 (2,); the same seed gives the same batch.

    Returns:
      float32 of the same shape, in [0, 1]. Nothing is mirrored: the heart's side is a finding.
    """
    count, size = tf.shape(pixels)[0], tf.shape(pixels)[1]
    draws = tf.random.stateless_uniform([6, count], seed=seed, minval=-1.0, maxval=1.0)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=_transforms(draws, tf.cast(size, tf.float32)),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    gain = 1.0 + 0.15 * tf.reshape(draws[4], [-1, 1, 1, 1])
    offset = 0.06 * tf.reshape(draws[5], [-1, 1, 1, 1])
    return tf.clip_by_value(moved * gain + offset, 0.0, 1.0)


def _transforms(draws: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Turns and zooms about the middle, then shifts: eight numbers for each image."""
    angle, zoom = 0.08 * draws[0], 1.0 + 0.06 * draws[1]
    middle = (size - 1.0) / 2.0
    cosine, sine = zoom * tf.cos(angle), zoom * tf.sin(angle)
    shift = 0.05 * size * draws[2:4]
    x = middle * (1.0 - cosine + sine) + shift[0]
    y = middle * (1.0 - sine - cosine) + shift[1]
    zero = tf.zeros_like(angle)
    return tf.stack([cosine, -sine, x, sine, cosine, y, zero, zero], axis=1)
