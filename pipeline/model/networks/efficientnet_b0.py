"""Keras' own EfficientNet-B0 as a flat functional model, with ImageNet weights from the cache."""

import keras
import numpy as np
from keras import layers

from pipeline.model.networks.backbones import weights_file
from pipeline.model.networks.contract import Network
from pipeline.model.networks.efficientnet import EfficientNetOptions, classified, trained_layers
from pipeline.settings.sections import ModelConfig

NAME, FEATURES = "efficientnet_b0", "top_activation"
# How Keras names the blocks: seven stages, of so many each.
BLOCKS = tuple(
    f"block{stage}{letter}_"
    for stage, repeats in enumerate((1, 2, 2, 3, 3, 4, 1), start=1)
    for letter in "abcd"[:repeats]
)


def build_efficientnet_b0(model: ModelConfig, options: EfficientNetOptions) -> Network:
    """A head on the backbone: trained alone first, then with the last blocks.

    Raises:
      ConfigError: an option out of range, or no weights in the cache.
      IntegrityError: another file than pinned.
    """
    pixels = keras.Input((model.image_size, model.image_size, 1), name="pixels")
    levels = layers.Rescaling(255.0, name="levels")(pixels)
    rgb = layers.Concatenate(name="rgb")([levels, levels, levels])
    backbone = keras.applications.EfficientNetB0(include_top=False, weights=None, input_tensor=rgb)
    backbone.load_weights(str(weights_file(NAME)))
    _divide_twice(next(each for each in backbone.layers if isinstance(each, layers.Normalization)))
    pooled = layers.GlobalAveragePooling2D(name="pooled")(backbone.output)
    network = classified(pixels, pooled, model, NAME)
    return Network(
        network, trained_layers(network, options, BLOCKS, ("top_conv", "top_bn")), FEATURES
    )


def _divide_twice(normalization: layers.Normalization) -> None:
    """Divides by the root of the deviation, too, as the weights were trained.

    Keras has a second Rescaling for that, in the graph of `weights="imagenet"` alone.
    """
    mean, variance, count = normalization.get_weights()
    normalization.set_weights([mean, variance * np.sqrt(variance), count])
    normalization.finalize_state()
