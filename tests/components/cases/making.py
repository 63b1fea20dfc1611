"""Small pictures and data sets for the tests of the sources."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.records.case import BadCase, Case, Source


def picture(seed: int, shape: tuple[int, ...] = (16, 12), top: int = 256) -> npt.NDArray[Any]:
    kind = np.uint8 if top == 256 else np.uint16
    return np.random.default_rng(seed).integers(0, top, shape).astype(kind)


def encoded(samples: npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, format=kind, **options)
    return stream.getvalue()


def write_picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    path.write_bytes(encoded(picture(seed), kind))


def write_class_folders(root: Path, *, patients: int = 30, val: bool = False) -> Path:
    """Kermany-like folders with two images for each patient."""
    seed = 0
    for split in ("train", "test", *(("val",) if val else ())):
        for patient in range(patients if split == "train" else 3):
            for image in range(2):
                seed += 2
                normal = root / split / "NORMAL" / f"IM-{patient:04d}-{image:04d}.jpeg"
                write_picture(normal, seed)
                sick = root / split / "PNEUMONIA" / f"person{patient}_virus_{seed}.jpeg"
                write_picture(sick, seed + 1)
    return root


def write_npz(path: Path, *, rows: int = 20, compressed: bool = True, **arrays: Any) -> Path:
    """A MedMNIST-like file with random images; `arrays` replace what it would hold."""
    content: dict[str, Any] = {}
    for number, prefix in enumerate(("train", "val", "test")):
        content[f"{prefix}_images"] = picture(number, (rows, 8, 8))
        content[f"{prefix}_labels"] = (np.arange(rows) % 2).astype(np.uint8)[:, None]
    content.update(arrays)
    (np.savez_compressed if compressed else np.savez)(path, **content)
    return path


def read_split(source: Source, split: str, cases_per_shard: int = 512) -> list[Case | BadCase]:
    shards = source.shards(split, cases_per_shard=cases_per_shard)
    return [case for shard in shards for case in source.read(shard)]


def read_cases(source: Source, split: str, cases_per_shard: int = 512) -> list[Case]:
    """The cases of a split, every one of which must be usable."""
    found = read_split(source, split, cases_per_shard)
    assert not [bad for bad in found if isinstance(bad, BadCase)]
    return [case for case in found if isinstance(case, Case)]
