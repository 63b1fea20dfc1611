"""That gradients by matrices are those of TensorFlow, and of the usual kinds without a loop."""

import os
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.model.private import unit_gradients

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(4)
PIXELS = RNG.random((4, 11, 9, 2), np.float32)
LABELS = np.array([0, 1, 1, 0], np.float32)
PLAIN = [
    {"kernel_size": 3, "padding": "same", "strides": 2},
    {"kernel_size": 3, "padding": "valid"},
    {"kernel_size": (5, 2), "padding": "same", "strides": (3, 1)},
    {"kernel_size": (2, 4), "padding": "valid", "strides": 3},
    {"kernel_size": 1, "padding": "same", "strides": 2, "use_bias": False},
]
OTHER = [{"kernel_size": 3, "groups": 2}, {"kernel_size": 3, "dilation_rate": 2}]


def network(layer: keras.layers.Layer) -> keras.Model:
    pixels = keras.Input(PIXELS.shape[1:])
    hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(layer(pixels))
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    return keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(hidden))


def traced(made: keras.Model) -> Any:
    units, count = tf.range(4), tf.constant(4)
    return tf.function(lambda: unit_gradients(made, PIXELS, LABELS, units, count)[0])


@pytest.mark.parametrize(
    "layer",
    [
        *(keras.layers.Conv2D(6, **how) for how in [*PLAIN, *OTHER]),
        keras.layers.DepthwiseConv2D(3, strides=2, padding="same"),
        keras.layers.SeparableConv2D(4, 3),
    ],
)
def test_gradients_are_those_that_tensorflow_finds_image_by_image(layer: Any) -> None:
    made = network(layer)
    found = traced(made)()
    for row in range(4):
        with tf.GradientTape() as tape:
            score = made(PIXELS[row : row + 1], training=False)
            loss = keras.losses.binary_crossentropy(LABELS[row : row + 1, None], score)[0]
        for got, wanted in zip(found, tape.gradient(loss, made.trainable_variables), strict=True):
            np.testing.assert_allclose(got[row], wanted, atol=1e-6)


@pytest.mark.parametrize("how", PLAIN)
def test_no_image_waits_for_another(how: dict[str, Any]) -> None:
    graph = traced(network(keras.layers.Conv2D(6, **how))).get_concrete_function().graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert not kinds & {"While", "StatelessWhile", "Conv2DBackpropFilter"}
