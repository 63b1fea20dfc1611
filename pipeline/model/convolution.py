"""A convolution's gradient as a product of matrices, which TensorFlow can take for many images.

Its own gradient towards a kernel it finds for one image after the other, in a loop, wherever each
image's is wanted: a private step then costs ten times a plain one.
"""

from contextlib import AbstractContextManager

import numpy as np
import tensorflow as tf

_GRADIENT = "CasegateConv2DByMatrices"
_ATTRIBUTES = ("strides", "padding", "explicit_paddings", "data_format", "dilations")


def with_matrix_gradients() -> AbstractContextManager[None]:
    """Where convolutions of one image get it; `tf.gradients` takes it then, and no tape does."""
    return tf.compat.v1.get_default_graph().gradient_override_map({"Conv2D": _GRADIENT})


@tf.RegisterGradient(_GRADIENT)
def _gradients(convolution: tf.Operation, upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Towards the image and towards the kernel."""
    image, kernel = convolution.inputs
    how = {name: convolution.get_attr(name) for name in _ATTRIBUTES}
    to_image = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(image), filter=kernel, out_backprop=upstream, **how
    )
    known = image.shape.is_fully_defined() and upstream.shape.is_fully_defined()
    plain = how["data_format"] == b"NHWC" and how["padding"] in (b"SAME", b"VALID")
    # Keras makes several images of one for a dilated kernel.
    one = plain and known and image.shape[0] == 1 and set(how["dilations"]) == {1}
    if not one or image.shape[3] != kernel.shape[2]:
        to_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=image, filter_sizes=tf.shape(kernel), out_backprop=upstream, **how
        )
        return to_image, to_kernel
    windows = _windows(image, kernel, upstream, how["strides"])
    product = tf.matmul(windows, tf.reshape(upstream, (windows.shape[0], -1)), transpose_a=True)
    return to_image, tf.reshape(product, kernel.shape)


def _windows(
    image: tf.Tensor, kernel: tf.Tensor, output: tf.Tensor, strides: list[int]
) -> tf.Tensor:
    """What the kernel was laid on, (places, height * width * channels of the kernel)."""
    margins, seen = [], []
    for axis in (1, 2):
        starts = np.arange(output.shape[axis]) * strides[axis]
        seen.append(starts[:, None] + np.arange(kernel.shape[axis - 1]))
        missing = max(int(seen[-1].max()) + 1 - image.shape[axis], 0)
        margins.append((missing // 2, missing - missing // 2))
    padded = tf.pad(image[0], (*margins, (0, 0)))
    rows, columns = seen
    pixels = rows[:, None, :, None] * padded.shape[1] + columns[None, :, None, :]
    of_each = tf.gather(tf.reshape(padded, (-1, image.shape[3])), pixels)
    return tf.reshape(of_each, (rows.shape[0] * columns.shape[0], -1))
