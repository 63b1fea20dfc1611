from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.records.errors import ConfigError
from pipeline.model.networks.building import build, verify
from pipeline.settings.sections import ModelConfig
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

OWN = "tests.pipeline.model.networks.own"


def settings(function: str, **options: Any) -> ModelConfig:
    return ModelConfig(network=f"{OWN}:{function}", options=options or None, image_size=32)


def test_the_shipped_network_keeps_the_contract() -> None:
    verify(ModelConfig(image_size=32, filters=(4, 8)))


def test_a_network_of_ones_own_gets_its_options_and_says_how_it_is_trained() -> None:
    verify(settings("right", width=6, rate=1))
    network = build(settings("right", width=6))
    assert network.model.get_layer("maps").filters == 6
    assert network.trained == (("probability",), ("maps", "probability"))
    assert network.explained == "maps"


@pytest.mark.parametrize(
    "function, words",
    [
        ("absent", ["own.py", "absent"]),
        ("NO_FUNCTION", ["own.py", "NO_FUNCTION"]),
        ("raises", ["RuntimeError: planted"]),
        ("no_model", ["Conv2D"]),
        ("untyped", ["dataclass"]),
        ("sequential", ["Sequential"]),
        ("subclassed", ["Subclassed"]),
        ("nested", ["'inner'"]),
        ("three_channels", ["input", "(None, 32, 32, 3)", "(None, 32, 32, 1)"]),
        ("fixed_batch", ["input", "(8, 32, 32, 1)"]),
        ("two_inputs", ["input", "(None, 1)"]),
        ("two_classes", ["output", "(None, 2)"]),
        ("compiled", ["compiled"]),
        ("logits", ["sigmoid"]),
        ("nan_on_black", ["nan"]),
        ("by_batch", ["alone"]),
        ("hidden_state", ["hidden_gain"]),
        ("hidden_table", ["a table"]),
        ("python_inside", ["Python function"]),
        ("trains_nothing_known", ["'probabilty'", "'probability'"]),
        ("trains_nothing", ["phase"]),
        ("explains_no_maps", ["'probability'"]),
    ],
)
def test_what_breaks_the_contract_is_refused(function: str, words: list[str]) -> None:
    with refused(ConfigError, "model.network", function, *words):
        verify(settings(function))


@pytest.mark.parametrize(
    "function, options, words",
    [
        ("right", {"widht": 3}, ["unknown", "'widht'", "'width'"]),
        ("right", {"width": "3"}, ["model.options.width", "'3'"]),
        ("right", {"width": None}, ["model.options.width", "None"]),
        ("plain", {"width": 3}, ["unknown", "'width'"]),
    ],
)
def test_an_option_that_the_function_does_not_take_is_refused(
    function: str, options: dict[str, Any], words: list[str]
) -> None:
    with refused(ConfigError, *words):
        verify(settings(function, **options))


def test_the_default_network_knows_no_options() -> None:
    with refused(ConfigError, "'width'", "small"):
        verify(ModelConfig(options={"width": 3}))


class Released(tf.Module):
    """The network as `Classifier` keeps it: its variables, and a function."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.weights = [variable.value for variable in network.variables]
        self.call = lambda pixels: network(pixels, training=False)

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 1])], autograph=False)
    def score(self, pixels: tf.Tensor) -> Any:
        return self.call(pixels)


def test_what_is_accepted_is_saved_whole_and_what_is_refused_is_not(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).random((2, 32, 32, 1), np.float32)
    network = build(settings("right")).model
    tf.saved_model.save(Released(network), str(tmp_path / "right"))
    again = tf.saved_model.load(str(tmp_path / "right"))
    wanted = network(pixels, training=False)
    np.testing.assert_allclose(again.score(pixels), wanted, rtol=0, atol=1e-6)
    for function in ("hidden_state", "hidden_table"):
        with pytest.raises(AssertionError, match="untracked"):
            tf.saved_model.save(Released(build(settings(function)).model), str(tmp_path / "not"))
