"""Networks of one's own: one that is right, and one for each way to be wrong."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from pipeline.model.networks.contract import Network
from pipeline.settings.sections import ModelConfig


@dataclass(frozen=True)
class Options:
    width: int = 4
    rate: float = 0.1


def right(model: ModelConfig, options: Options) -> Network:
    pixels, maps = begun(model, options.width)
    trained = (("probability",), ("maps", "probability"))
    return Network(ended(pixels, maps), trained, explained="maps")


def head_alone(model: ModelConfig) -> Network:
    return Network(plain(model), (("probability",),))


def begun(model: ModelConfig, width: int = 4, **how: Any) -> tuple[Any, Any]:
    pixels = keras.Input((model.image_size, model.image_size, 1), **how)
    return pixels, layers.Conv2D(width, 3, name="maps")(pixels)


def ended(pixels: Any, maps: Any, **how: Any) -> keras.Model:
    pooled = layers.GlobalAveragePooling2D()(maps)
    how = {"activation": "sigmoid", "name": "probability", **how}
    return keras.Model(pixels, layers.Dense(1, **how)(pooled))


def plain(model: ModelConfig) -> keras.Model:
    return ended(*begun(model))


def not_a_number(model: ModelConfig) -> keras.Model:
    pixels, _ = begun(model)
    lost = layers.Rescaling(float("nan"))(pixels)
    return ended(pixels, layers.Conv2D(4, 3, name="maps")(lost))


def raises(model: ModelConfig) -> keras.Model:
    raise RuntimeError("planted\nmore")


def no_model(model: ModelConfig) -> Any:
    return plain(model).layers[1]


def untyped(model: ModelConfig, options) -> keras.Model:  # type: ignore[no-untyped-def]
    return plain(model)


def sequential(model: ModelConfig) -> keras.Model:
    size = model.image_size
    return keras.Sequential([keras.Input((size, size, 1)), layers.Flatten(), layers.Dense(1)])


class Subclassed(keras.Model):
    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(pixels, axis=(1, 2))


def subclassed(model: ModelConfig) -> keras.Model:
    return Subclassed()


def nested(model: ModelConfig) -> keras.Model:
    pixels, maps = begun(model)
    shape = maps.shape[1:]
    inner = keras.Sequential([keras.Input(shape), layers.Conv2D(2, 1)], name="inner")
    return ended(pixels, inner(maps))


def three_channels(model: ModelConfig) -> keras.Model:
    pixels = keras.Input((model.image_size, model.image_size, 3))
    return ended(pixels, layers.Conv2D(2, 3)(pixels))


def fixed_batch(model: ModelConfig) -> keras.Model:
    return ended(*begun(model, batch_size=8))


def two_inputs(model: ModelConfig) -> keras.Model:
    pixels, maps = begun(model)
    other = keras.Input((1,))
    made = ended(pixels, maps)
    return keras.Model([pixels, other], layers.Add()([made.output, other]))


def two_classes(model: ModelConfig) -> keras.Model:
    pixels, maps = begun(model)
    pooled = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(pixels, layers.Dense(2, activation="softmax")(pooled))


def compiled(model: ModelConfig) -> keras.Model:
    network = plain(model)
    network.compile(optimizer="adam", loss="binary_crossentropy")
    return network


def logits(model: ModelConfig) -> keras.Model:
    return ended(*begun(model), activation=None)


def nan_on_black(model: ModelConfig) -> keras.Model:
    pixels = keras.Input((model.image_size, model.image_size, 1))
    scaled = layers.Lambda(lambda x: x / tf.reduce_max(x, axis=(1, 2, 3), keepdims=True))(pixels)
    return ended(pixels, layers.Conv2D(2, 3)(scaled))


def by_batch(model: ModelConfig) -> keras.Model:
    pixels = keras.Input((model.image_size, model.image_size, 1))
    scaled = layers.Lambda(lambda x: 50.0 * (x - tf.reduce_mean(x)))(pixels)
    return ended(pixels, layers.Conv2D(2, 3)(scaled))


HIDDEN = tf.Variable(0.5, name="hidden_gain")


def hidden_state(model: ModelConfig) -> keras.Model:
    pixels, maps = begun(model)
    return ended(pixels, layers.Lambda(lambda x: x * HIDDEN)(maps))


TABLE = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([0], [1.0]), 1.0)


def hidden_table(model: ModelConfig) -> keras.Model:
    pixels, maps = begun(model)
    look_up = lambda x: x * TABLE.lookup(tf.constant([0]))  # noqa: E731
    return ended(pixels, layers.Lambda(look_up)(maps))


def python_inside(model: ModelConfig) -> keras.Model:
    pixels = keras.Input((model.image_size, model.image_size, 1))

    def doubled(x: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(lambda array: 2 * array, [x], tf.float32)
        return tf.ensure_shape(found, x.shape)

    return ended(pixels, layers.Conv2D(2, 3)(pixels + layers.Lambda(doubled)(pixels)))


def trains_nothing_known(model: ModelConfig) -> Network:
    return Network(plain(model), trained=(("probabilty",),))


def trains_nothing(model: ModelConfig) -> Network:
    return Network(plain(model), trained=((),))


def explains_no_maps(model: ModelConfig) -> Network:
    return Network(plain(model), explained="probability")


NO_FUNCTION = 3


def in_phases(model: ModelConfig) -> Network:
    pixels, maps = begun(model)
    hidden = layers.BatchNormalization(name="norm")(maps)
    hidden = layers.Conv2D(4, 3, name="late")(hidden)
    head = ("probability",)
    return Network(ended(pixels, hidden), trained=(head, ("late", *head)))
