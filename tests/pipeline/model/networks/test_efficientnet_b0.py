import dataclasses
import hashlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import efficientnet as of_keras
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.model.networks.backbones import BACKBONES, fetch, place_of
from pipeline.model.networks.building import build, verify
from pipeline.model.networks.efficientnet_b0 import BLOCKS, FEATURES, NAME
from pipeline.settings.sections import ModelConfig
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

SIDE = 64
MODEL = ModelConfig(network=NAME, image_size=SIDE, options={"last_blocks": 2})
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like the one that Keras publishes, with drawn weights."""
    network = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)
    )
    values = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            *_, count = layer.get_weights()
            layer.set_weights([np.float32(MEAN), np.float32(DEVIATION) ** 2, count])
        elif isinstance(layer, keras.layers.BatchNormalization):
            drawn = [values.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()]
            layer.set_weights(drawn)
    path = tmp_path_factory.mktemp("keras") / "efficientnetb0_notop.h5"
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
    return path


@pytest.fixture
def fetched(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))
    found = f"md5:{hashlib.md5(drawn.read_bytes()).hexdigest()}"
    pinned = dataclasses.replace(BACKBONES[NAME], file_hash=found)
    monkeypatch.setitem(BACKBONES, NAME, pinned)  # type: ignore[misc]
    return fetch(NAME, drawn)


def test_it_gives_the_features_of_the_graph_that_keras_builds_for_these_weights(
    fetched: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_keras.file_utils, "get_file", lambda *_, **__: str(drawn))
    published = keras.applications.EfficientNetB0(
        include_top=False, weights="imagenet", input_shape=(SIDE, SIDE, 3)
    )
    network = build(MODEL).model
    ours = keras.Model(network.inputs, network.get_layer(FEATURES).output)
    images = np.random.default_rng(1).random((3, SIDE, SIDE, 1), np.float32)
    wanted = published(np.repeat(images, 3, axis=-1) * 255, training=False).numpy()
    np.testing.assert_allclose(ours(images, training=False).numpy(), wanted, rtol=1e-4, atol=1e-5)
    plain = keras.applications.EfficientNetB0(
        include_top=False, weights=str(drawn), input_shape=(SIDE, SIDE, 3)
    )
    other = plain(np.repeat(images, 3, axis=-1) * 255, training=False).numpy()
    assert np.abs(other - wanted).max() > 100 * np.abs(ours(images).numpy() - wanted).max()


def test_it_keeps_the_contract_and_trains_the_head_and_then_the_last_blocks(fetched: Path) -> None:
    verify(MODEL)
    network = build(MODEL)
    assert network.trained is not None
    head, last = map(set, network.trained)
    assert head == {"dropout", "probability"}
    assert {name.split("_")[0] for name in last - head} == {"block6d", "block7a", "top"}
    assert not [name for name in last if name.endswith("bn")]
    named = {layer.name.split("_")[0] for layer in network.model.layers}
    assert {block.rstrip("_") for block in BLOCKS} == {e for e in named if e.startswith("block")}


def test_nothing_but_the_file_that_keras_publishes_is_taken(
    fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused(SourceError, BACKBONES[NAME].member, "--file"):
        fetch(NAME)
    with refused(SourceError, "absent.h5"):
        fetch(NAME, tmp_path / "absent.h5")
    (tmp_path / "other.h5").write_bytes(fetched.read_bytes() + b"\0")
    with refused(IntegrityError, "other.h5", BACKBONES[NAME].file_hash):
        fetch(NAME, tmp_path / "other.h5")
    fetched.write_bytes(fetched.read_bytes() + b"\0")
    with refused(IntegrityError, fetched, BACKBONES[NAME].file_hash):
        build(MODEL)
    place_of(NAME).unlink()
    with refused(ConfigError, f"casegate backbones fetch {NAME} --file"):
        build(MODEL)
