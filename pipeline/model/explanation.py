"""Why the network says so: Grad-CAM, inside the graph that is served.

Of the logit, not of the probability, whose gradient vanishes where the network is sure.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from components.records.errors import ConfigError, suggestion

PROBES, PROBE_CELLS = 8, 8


class GradCam:
    """Where in an image the score of a network came from, at the size of one of its layers.

    Args:
      network: flat and functional, from (n, h, w, channels) to one probability; its last layer is
        Dense(1, activation="sigmoid").
      layer: the name of the layer whose features are looked at; None takes the last one that gives
        (n, h, w, channels).

    Raises:
      ConfigError: there is no such layer, or the score does not come out of it.

    Source: Selvaraju et al. (2017), ICCV, pages 618-626.
    """

    def __init__(self, network: keras.Model, layer: str | None = None) -> None:
        self._last, looked_at = _last(network), _looked_at(network, layer)
        self._of = f"layer '{looked_at.name}' of network '{network.name}'"
        self._input_shape = network.input_shape[1:]
        (pixels,), features = network.inputs, looked_at.output
        self._below = keras.Model(pixels, features)
        # Of the pixels, too: what goes around the layer is made of them.
        given = [features] if features is pixels else [pixels, features]
        self._above = keras.Model(given, self._last.input)
        self._all_below_last = keras.Model(pixels, self._last.input)
        self._gradients(self._probes()[:1])

    def heatmap(self, pixels: tf.Tensor) -> tf.Tensor:
        """The maps, float32 (n, h, w), each scaled to [0, 1]; 1 where most of the score came from.

        A map is 0 all over where nothing at this layer speaks for a finding.
        """
        features, gradients = self._gradients(pixels)
        weights = tf.reduce_mean(gradients, axis=[1, 2], keepdims=True)
        heat = tf.nn.relu(tf.cast(tf.reduce_sum(weights * features, axis=-1), tf.float32))
        return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=[1, 2], keepdims=True))

    def logit(self, pixels: tf.Tensor) -> tf.Tensor:
        """What the network's sigmoid is taken of, float32 (n, 1)."""
        hidden = tf.cast(self._all_below_last(pixels, training=False), tf.float32)
        product = tf.matmul(hidden, tf.convert_to_tensor(self._last.kernel, tf.float32))
        if not self._last.use_bias:
            return product
        return product + tf.convert_to_tensor(self._last.bias, tf.float32)

    def refuse_blank(self) -> None:
        """Raises ConfigError where the layer says nothing of any image, now that it is trained."""
        found = self._gradients(self._probes())[1].numpy()
        if not np.isfinite(found).all() or not found.any():
            what = "0 for every" if np.isfinite(found).all() else "not finite for a"
            raise ConfigError(
                f"{self._of}: the gradient of the logit is {what} probe image, so nothing can be "
                "explained; explain by another layer, or check that training worked"
            )

    def _gradients(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The layer's features and the logit's gradient by them, both (n, h, w, channels)."""
        features = self._below(pixels, training=False)
        given = [pixels, features][-len(self._above.inputs) :]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(features)  # not the pixels: what lies below the layer is not gone back to
            hidden = self._above(given, training=False)
            kernel = tf.convert_to_tensor(self._last.kernel)
            # The bias moves the logit and no gradient.
            logit = tf.matmul(tf.cast(hidden, kernel.dtype), kernel)
        gradients = tape.gradient(logit, features)
        if gradients is None:
            raise ConfigError(
                f"{self._of}: the score has no gradient by its output; explain by a layer that "
                "the score comes out of, without a rounding or a comparison between"
            )
        return features, gradients

    def _probes(self) -> tf.Tensor:
        """Smooth noise, the same each time: (PROBES, h, w, channels) in [0, 1]."""
        height, width, channels = self._input_shape
        shape = (PROBES, PROBE_CELLS, PROBE_CELLS, channels)
        cells = np.random.default_rng(0).random(shape, np.float32)
        return tf.image.resize(cells, [height, width])


def _last(network: keras.Model) -> keras.layers.Dense:
    last = network.layers[-1]
    is_dense = isinstance(last, keras.layers.Dense) and last.units == 1
    if not is_dense or last.activation is not keras.activations.sigmoid:
        raise ConfigError(
            f"network '{network.name}': its last layer is '{last.name}' ({type(last).__name__}), "
            'wanted keras.layers.Dense(1, activation="sigmoid"), whose input explains the score'
        )
    return last


def _looked_at(network: keras.Model, name: str | None) -> keras.layers.Layer:
    """The layer of that name; without one the last whose output can be a picture."""
    layers = {layer.name: layer for layer in network.layers}
    if name is not None and name not in layers:
        raise ConfigError(
            f"network '{network.name}': no layer '{name}' to explain by{suggestion(name, layers)}"
        )
    fit = [layer for key, layer in layers.items() if key == (name or key) and _is_picture(layer)]
    if not fit:
        raise ConfigError(
            f"network '{network.name}': nothing to explain by: got "
            f"{f'layer {name!r} with shape {layers[name].output.shape}' if name else 'no layer'}, "
            "wanted one that gives (n, height, width, channels), of 2 x 2 or more"
        )
    return fit[-1]


def _is_picture(layer: keras.layers.Layer) -> bool:
    given: Sequence[int | None] = getattr(layer.output, "shape", ())  # several outputs have none
    return len(given) == 4 and min(given[1] or 0, given[2] or 0) >= 2
