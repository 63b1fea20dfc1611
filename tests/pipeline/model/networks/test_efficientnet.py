from pathlib import Path

import keras
import numpy as np
import pytest

from components.records.errors import ConfigError, IntegrityError
from pipeline.model.networks import efficientnet
from pipeline.model.networks.backbones import golden_image, load_weights, place_of
from pipeline.model.networks.building import build, verify
from pipeline.model.networks.efficientnet import NAME, golden_logits
from pipeline.settings.sections import ModelConfig
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

MODEL = ModelConfig(network=NAME, image_size=64)
CLASSES = 1000


def drawn_weights() -> dict[str, np.ndarray]:
    """Weights as the backbone has them, drawn at random, for where nobody fetched the real ones."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((32, 32, 1))
    network = keras.Model(pixels, efficientnet._features(pixels))
    drawn = np.random.default_rng(0)
    weights = {
        f"{layer.name}.{role}": drawn.uniform(0.5, 1.5, value.shape).astype(np.float32)
        if len(layer.get_weights()) == 4
        else value
        for layer in network.layers
        for role, value in zip(efficientnet.ROLES, layer.get_weights())
    }
    weights["fc.weight"] = drawn.random((1280, CLASSES), np.float32)
    return {**weights, "fc.bias": np.zeros(CLASSES, np.float32)}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    weights = drawn_weights()
    monkeypatch.setattr(efficientnet, "load_weights", lambda name: weights)
    monkeypatch.setattr(efficientnet, "refuse_other_logits", lambda name, logits: None)
    return weights


def test_the_network_keeps_the_contract_and_has_every_weight(
    drawn: dict[str, np.ndarray],
) -> None:
    verify(MODEL)
    network = build(MODEL)
    assert network.explained == "features"
    for layer in network.model.layers:
        for role, value in zip(efficientnet.ROLES, layer.get_weights()):
            if layer.name != "probability":
                np.testing.assert_array_equal(drawn.pop(f"{layer.name}.{role}"), value)
    assert sorted(drawn) == ["fc.bias", "fc.weight"]


def test_the_phases_train_the_head_and_then_the_last_blocks_but_no_batch_normalization(
    drawn: dict[str, np.ndarray],
) -> None:
    options = {"last_blocks": 2}
    network = build(ModelConfig(network=NAME, image_size=64, options=options))
    assert network.trained is not None
    head, last = map(set, network.trained)
    assert head == {"dropout", "probability"}
    convolutions = {f"{name}_conv" for name in ("expand", "depthwise", "project")}
    blocks = {f"block{number}_{name}" for number in (14, 15) for name in convolutions}
    assert last - head == blocks | {"conv_head"}
    normed = build(
        ModelConfig(network=NAME, image_size=64, options={**options, "batch_norm": True})
    )
    assert normed.trained is not None
    more = {f"block{number}_bn{place}" for number in (14, 15) for place in (0, 1, 2)} | {"bn1"}
    assert set(normed.trained[1]) - last == more


def test_without_last_blocks_there_is_one_phase(drawn: dict[str, np.ndarray]) -> None:
    network = build(ModelConfig(network=NAME, image_size=64, options={"last_blocks": 0}))
    assert network.trained == (("dropout", "probability"),)


@pytest.mark.parametrize("option, value", [("last_blocks", 17), ("last_blocks", -1), ("blocks", 1)])
def test_another_option_is_refused(drawn: dict[str, np.ndarray], option: str, value: int) -> None:
    with refused(ConfigError, option, value if option == "last_blocks" else "last_blocks"):
        build(ModelConfig(network=NAME, image_size=64, options={option: value}))


def test_without_a_backbone_the_command_that_gets_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path))
    with refused(ConfigError, f"casegate backbones fetch {NAME}"):
        verify(MODEL)


@pytest.fixture
def real() -> dict[str, np.ndarray]:
    if not place_of(NAME).is_file():
        pytest.skip(f"{place_of(NAME)} is not there: run `casegate backbones fetch {NAME}`")
    return load_weights(NAME)


def test_the_real_backbone_gives_the_recorded_outputs(real: dict[str, np.ndarray]) -> None:
    efficientnet.refuse_other_logits(NAME, golden_logits(real))
    other = {**real, "conv_head.weight": real["conv_head.weight"] * np.float32(1.01)}
    with refused(IntegrityError, "golden image"):
        efficientnet.refuse_other_logits(NAME, golden_logits(other))


def test_a_second_rescaling_or_another_padding_is_found_by_the_golden_outputs(
    real: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = golden_image()
    for other in (picture / 255, 255 * picture, np.roll(picture, 1, axis=1)):
        monkeypatch.setattr(efficientnet, "golden_image", lambda other=other: other)
        with refused(IntegrityError, "golden image"):
            efficientnet.refuse_other_logits(NAME, golden_logits(real))
