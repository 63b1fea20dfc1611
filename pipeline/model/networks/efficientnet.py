"""EfficientNet-Lite0 as a flat functional model, with ImageNet weights from the cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from components.records.errors import ConfigError
from pipeline.model.networks.backbones import golden_image, load_weights, refuse_other_logits
from pipeline.model.networks.contract import Network
from pipeline.settings.sections import ModelConfig

NAME, FEATURES = "efficientnet_lite0", "features"
# Repeats, kernel, stride of the first, expansion and channels of each stage: Tan and Le (2019),
# ICML, table 1; without squeeze and excitation, and with ReLU6, as Google's Lite variant has it.
STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
BLOCKS = sum(stage[0] for stage in STAGES)
ROLES = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class EfficientNetOptions:
    """What `model.options` may say of this network.

    Attributes:
      last_blocks: how many of its 16 blocks the second phase trains, with what comes after them.
      batch_norm: whether their BatchNormalization is trained, too.
    """

    last_blocks: int = 3
    batch_norm: bool = False


def build_efficientnet_lite0(model: ModelConfig, options: EfficientNetOptions) -> Network:
    """A head on the backbone: trained alone first, then with the last blocks.

    Raises:
      ConfigError: an option out of range, or no weights in the cache.
      IntegrityError: other weights than pinned, or other outputs than they gave elsewhere.
    """
    weights = load_weights(NAME)
    refuse_other_logits(NAME, golden_logits(weights))
    pixels = keras.Input((model.image_size, model.image_size, 1), name="pixels")
    network = classified(pixels, _features(pixels), model, NAME)
    _set_weights(network, weights)
    starts = [f"block{number}_" for number in range(BLOCKS)]
    return Network(
        network, trained_layers(network, options, starts, ("conv_head", "bn1")), FEATURES
    )


def trained_layers(
    network: keras.Model, options: EfficientNetOptions, blocks: Sequence[str], top: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """What each phase trains: the head, and then the last blocks with what comes after them.

    Args:
      blocks: how the names of the layers of each block start; top: as those after the last.

    Raises:
      ConfigError: more blocks asked for than there are.
    """
    if not 0 <= options.last_blocks <= len(blocks):
        wanted = f"wanted 0 to {len(blocks)}"
        raise ConfigError(f"model.options.last_blocks: got {options.last_blocks}, {wanted}")
    head = ("dropout", "probability")
    if not options.last_blocks:
        return (head,)
    kinds = (layers.Conv2D, layers.DepthwiseConv2D) + (
        (layers.BatchNormalization,) if options.batch_norm else ()
    )
    last = [each.name for each in network.layers if isinstance(each, kinds)]
    starts = (*top, *blocks[-options.last_blocks :])
    return (head, (*(name for name in last if name.startswith(starts)), *head))


def classified(
    pixels: keras.KerasTensor, pooled: keras.KerasTensor, model: ModelConfig, name: str
) -> keras.Model:
    """The network with a head of its own on features (n, channels)."""
    hidden = layers.Dropout(model.dropout, seed=model.seed, name="dropout")(pooled)
    probability = layers.Dense(1, activation="sigmoid", name="probability")(hidden)
    return keras.Model(pixels, probability, name=name)


def golden_logits(weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the backbone with its own 1000 classes says of the golden image, (1000,)."""
    image = golden_image()
    pixels = keras.Input(image.shape[1:])
    network = keras.Model(pixels, _features(pixels))
    _set_weights(network, weights)
    pooled = np.asarray(network(image, training=False))[0]
    return pooled @ weights["fc.weight"] + weights["fc.bias"]


def _features(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """From (n, size, size, 1) in [0, 1] to (n, 1280)."""
    # As the weights were trained: grey values less 127, by 128, in three channels.
    scaled = layers.Rescaling(255.0 / 128.0, -127.0 / 128.0, name="rescaled")(pixels)
    hidden = layers.Concatenate(name="rgb")([scaled, scaled, scaled])
    hidden = _normed(hidden, "conv_stem", "bn0", filters=32, size=3, strides=2)
    number = 0
    for repeats, size, strides, expansion, filters in STAGES:
        for repeat in range(repeats):
            stride = strides if repeat == 0 else 1
            hidden = _block(hidden, f"block{number}_", size, stride, expansion, filters)
            number += 1
    hidden = _normed(hidden, "conv_head", "bn1", filters=1280, size=1, last=FEATURES)
    return layers.GlobalAveragePooling2D(name="pooled")(hidden)


def _block(
    given: keras.KerasTensor, at: str, size: int, strides: int, expansion: int, filters: int
) -> keras.KerasTensor:
    """An inverted residual: widen, convolve each channel, narrow, and add what was given."""
    hidden, channels = given, given.shape[-1]
    if expansion > 1:
        wide = channels * expansion
        hidden = _normed(hidden, f"{at}expand_conv", f"{at}bn0", filters=wide, size=1)
    hidden = _normed(hidden, f"{at}depthwise_conv", f"{at}bn1", size=size, strides=strides)
    hidden = _normed(hidden, f"{at}project_conv", f"{at}bn2", filters=filters, size=1, last="")
    if strides == 1 and channels == filters:
        return layers.Add(name=f"{at}add")([given, hidden])
    return hidden


def _normed(
    given: keras.KerasTensor,
    name: str,
    norm: str,
    *,
    size: int,
    filters: int | None = None,
    strides: int = 1,
    last: str | None = None,
) -> keras.KerasTensor:
    """A convolution, of each channel alone without `filters`; normed, and with ReLU6 unless ""."""
    how = {"strides": strides, "padding": "same", "use_bias": False, "name": name}
    if filters is None:
        hidden = layers.DepthwiseConv2D(size, **how)(given)
    else:
        hidden = layers.Conv2D(filters, size, **how)(given)
    hidden = layers.BatchNormalization(epsilon=1e-3, name=norm)(hidden)
    if last == "":
        return hidden
    return layers.ReLU(max_value=6.0, name=last or f"{norm}_relu6")(hidden)


def _set_weights(network: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Every layer that the backbone has, by name."""
    for layer in network.layers:
        given = [weights[key] for role in ROLES if (key := f"{layer.name}.{role}") in weights]
        if given:
            layer.set_weights(given)
