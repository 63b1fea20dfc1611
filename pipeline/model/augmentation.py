"""Training images, each shifted, turned, zoomed and re-exposed a little."""

import tensorflow as tf


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
