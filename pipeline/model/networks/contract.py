"""What a network has to be, whoever wrote it: the contract of `model.network`."""

from dataclasses import dataclass
from typing import Any, Protocol

import keras

from pipeline.settings.sections import ModelConfig


@dataclass(frozen=True)
class Network:
    """A network, and how it is trained and explained.

    Attributes:
      model: as `NetworkBuilder` says.
      trained: names of the layers that each phase of training changes; None trains all in one.
      explained: name of the layer by which a score is explained; None takes the last one that
        gives (n, height, width, channels).
    """

    model: keras.Model
    trained: tuple[tuple[str, ...], ...] | None = None
    explained: str | None = None


class NetworkBuilder(Protocol):
    """What `package.module:function` names; it is called once for each training.

    Args:
      model: the settings of `model`, such as `image_size`, `dropout` and `seed`.
      options: `model.options`, as an object of the dataclass or pydantic model that the function
        names as the type of this parameter. A function that knows no options may leave it out.

    Returns:
      A functional keras.Model, or a Network with one: not compiled, and flat, which means without
      a model as a layer. Its one input is float32 (n, image_size, image_size, 1), grey in [0, 1];
      another range or three channels are made inside of it. Its one output is float32 (n, 1), the
      probability of each case by itself, in [0, 1]; Dense(1, activation="sigmoid") gives it. All
      state is in `variables`: what is not there is not released.
    """

    def __call__(self, model: ModelConfig, options: Any, /) -> keras.Model | Network: ...
