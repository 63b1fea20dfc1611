"""From encoded bytes to the network's input, inside Transform's graph.

Training and serving run this very graph, so they cannot drift apart.
"""

from typing import Any

import tensorflow as tf

from pipeline.model.features import IMAGE, LABEL, PIXELS


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor]:
    """Decodes, takes one channel, resizes and scales.

    Args:
      inputs: `image`, encoded PNG or JPEG, 8 or 16 bit, grey or RGB, shape (n,); `label`, (n,).
      custom_config: `image_size`, the side of the network's input in pixels.

    Returns:
      `pixels`, float32 (n, size, size, 1) in [0, 1]; `label`, int64 (n,).
    """
    size = int(custom_config["image_size"])
    pixels = tf.map_fn(
        lambda image: decoded(image, size),
        inputs[IMAGE],
        fn_output_signature=tf.TensorSpec([size, size, 1], tf.float32),
    )
    return {PIXELS: pixels, LABEL: inputs[LABEL]}


def decoded(image: tf.Tensor, size: int) -> tf.Tensor:
    """One encoded image as float32 (size, size, 1) in [0, 1]."""
    # What is trained on is PNG. A client may send JPEG, and gets what intake made of such a file;
    # by itself TensorFlow decodes it faster, and by some grey values otherwise.
    pixels = tf.cond(tf.io.is_jpeg(image), lambda: _jpeg(image), lambda: _any(image))
    grey = tf.image.rgb_to_grayscale(pixels)
    # At its own size an image comes out of the resizing as it went in, for a third of all the time.
    resized = tf.cond(
        tf.reduce_all(tf.equal(tf.shape(grey)[:2], size)),
        lambda: grey,
        lambda: tf.image.resize(grey, [size, size], antialias=True),
    )
    return tf.ensure_shape(tf.clip_by_value(resized, 0.0, 1.0), [size, size, 1])


def _jpeg(image: tf.Tensor) -> tf.Tensor:
    samples = tf.io.decode_jpeg(image, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.image.convert_image_dtype(samples, tf.float32)


def _any(image: tf.Tensor) -> tf.Tensor:
    # Decoding to float scales by the file's own depth, so 8 and 16 bit meet in [0, 1].
    return tf.io.decode_image(image, channels=3, dtype=tf.float32, expand_animations=False)
