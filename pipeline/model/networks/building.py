"""Builds the network that `model.network` names, and refuses one that breaks the contract.

What a wrong network would cost otherwise is a whole training.
"""

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.records.errors import CasegateError, ConfigError, suggestion
from pipeline.model.explanation import GradCam
from pipeline.model.networks.contract import Network
from pipeline.model.networks.efficientnet import build_efficientnet_lite0
from pipeline.model.networks.efficientnet_b0 import build_efficientnet_b0
from pipeline.model.networks.small import build_small
from pipeline.model.networks.source import first_line, load_function, refusal
from pipeline.settings.sections import ModelConfig

SHIPPED: dict[str, Callable[..., Any]] = {
    "small": build_small,
    "efficientnet_lite0": build_efficientnet_lite0,
    "efficientnet_b0": build_efficientnet_b0,
}
# How far a case's probability may move with the cases beside it.
ALONE_TOLERANCE = 1e-4
# What only the process that made it can run: a Python function.
PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


def build(model: ModelConfig) -> Network:
    """The network of the settings, not compiled.

    Raises:
      ConfigError: it cannot be built, or its structure is not what `NetworkBuilder` says.
    """
    name = model.network
    function = SHIPPED.get(name) or load_function(name)
    try:
        given = function(model, *_options(function, model))
    except CasegateError:
        raise
    except Exception as error:
        raise refusal(name, f"the function raised {first_line(error)}") from None
    network = given if isinstance(given, Network) else Network(given)
    for fault in _faults(network, model.image_size):
        raise refusal(name, fault)
    try:
        GradCam(network.model, network.explained)
    except ConfigError as error:
        raise refusal(name, str(error)) from None
    return network


def verify(model: ModelConfig) -> None:
    """Builds the network, runs it on a fixed batch and looks at what would be released of it.

    Raises:
      ConfigError: as `build`, or a probability or state that is not what `NetworkBuilder` says.
    """
    keras.utils.set_random_seed(model.seed)
    network = build(model).model
    pixels = np.random.default_rng(0).random((4, *network.input_shape[1:]), np.float32)
    pixels[2], pixels[3] = 0.0, 1.0  # as pictures may be
    try:
        together = network(pixels, training=False).numpy()
        alone = network(pixels[:1], training=False).numpy()
        lost = _lost_state(network)
    except Exception as error:
        raise refusal(model.network, f"running it raised {first_line(error)}") from None
    if not ((together >= 0) & (together <= 1)).all():
        values = f"{together.min():.4g} to {together.max():.4g}"
        raise refusal(model.network, f"got outputs of {values}, wanted probabilities in [0, 1]")
    if abs(together[0] - alone[0]) > ALONE_TOLERANCE:
        fault = "got another probability for a case alone than beside others, wanted the same"
        raise refusal(model.network, fault)
    if lost:
        kept = "wanted all state in the layers' variables, as only that is released"
        raise refusal(model.network, f"got {', '.join(lost)}; {kept}")
    keras.utils.clear_session()  # layers are numbered from one again


def _options(function: Callable[..., Any], model: ModelConfig) -> tuple[Any, ...]:
    """`model.options` as the function wants it: nothing, or one object of its own type."""
    parameters = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    kind: Any = parameters[0].annotation if parameters else None
    fields = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", {})
    for key in model.options or {}:
        if key not in fields:
            known = suggestion(key, fields) if fields else "; it has no options"
            raise ConfigError(f"model.options: unknown key '{key}' of {model.network}{known}")
    if not parameters:
        return ()
    if not hasattr(kind, "model_fields") and not dataclasses.is_dataclass(kind):
        fault = f"its second parameter has type {kind!r}, wanted a dataclass or a pydantic model"
        raise refusal(model.network, fault)
    from pydantic import TypeAdapter, ValidationError

    try:
        return (TypeAdapter(kind).validate_json(json.dumps(model.options or {}), strict=True),)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("model.options", *first["loc"])))
        raise ConfigError(f"{where}: got {first['input']!r}: {first['msg']}") from None


def _faults(network: Network, size: int) -> Iterator[str]:
    """What is wrong with the structure, the worst first."""
    model = network.model
    if not isinstance(model, keras.Model):
        yield f"got {type(model).__name__}, wanted a keras.Model"
    if isinstance(model, keras.Sequential) or not hasattr(model, "operations"):
        yield f"got a {type(model).__name__}, wanted keras.Model(inputs, outputs)"
    if nested := [layer.name for layer in model.layers if isinstance(layer, keras.Model)]:
        yield f"got the model '{nested[0]}' as a layer, wanted layers alone; call them one by one"
    for side, tensors, shape in (
        ("input", model.inputs, (None, size, size, 1)),
        ("output", model.outputs, (None, 1)),
    ):
        got = [(tuple(each.shape), str(each.dtype)) for each in tensors]
        if got != [(shape, "float32")]:
            yield f"got {side} {got}, wanted one float32 {shape}"
    if model.compiled:
        yield "got a compiled model, wanted one that is not: training compiles it"
    layers = {layer.name: layer for layer in model.layers}
    for name in (name for phase in network.trained or () for name in phase):
        if name not in layers:
            yield f"trained: no layer '{name}'{suggestion(name, layers)}"
    if network.trained is not None and not all(network.trained):
        yield "trained: got a phase without layers, wanted names in each"


def _lost_state(network: keras.Model) -> list[str]:
    """What the traced network reads and its variables do not hold: the release would lack it."""
    spec = tf.TensorSpec(network.input_shape, tf.float32)
    traced = tf.function(lambda pixels: network(pixels, training=False), autograph=False)
    graph = traced.get_concrete_function(spec).graph
    kept = {id(variable.value.handle) for variable in network.variables}
    named = {id(variable.handle): variable.name for variable in graph.variables}
    lost = [
        f"{named.get(id(outer), 'a table')} outside of every layer"
        for outer, _ in graph.captures
        if outer.dtype == tf.resource and id(outer) not in kept
    ]
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(n for each in definition.library.function for n in each.node_def)]
    return lost + sorted({f"a Python function: {n.name}" for n in nodes if n.op in PYTHON_OPS})
