"""The default network: small enough for two cores."""

import keras
from keras import layers

from pipeline.settings.sections import ModelConfig


def build_small(model: ModelConfig) -> keras.Model:
    """A convolutional network from (size, size, 1) in [0, 1] to one probability.

    Strides instead of pooling: at these sizes the early, wide layers are what costs.
    """
    pixels = keras.Input((model.image_size, model.image_size, 1), name="pixels")
    hidden = layers.Rescaling(scale=4.0, offset=-2.0)(pixels)
    for filters in model.filters:
        hidden = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(hidden)
    pooled = [layers.GlobalAveragePooling2D()(hidden), layers.GlobalMaxPooling2D()(hidden)]
    hidden = layers.Dropout(model.dropout, seed=model.seed)(layers.Concatenate()(pooled))
    probability = layers.Dense(1, activation="sigmoid", name="probability")(hidden)
    return keras.Model(pixels, probability, name="casegate")
