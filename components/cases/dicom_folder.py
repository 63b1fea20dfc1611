"""Whether a folder is one of DICOM files, told from a few of its files and without pydicom."""

import csv
import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from components.cases.files import IMAGE_SUFFIXES, MANIFEST
from components.dicom.files import PREAMBLE, begins_as_dicom, walk


def is_dicom_folder(path: Path) -> bool:
    """Whether a folder has a manifest of DICOM files, or has such files and no manifest.

    Of class folders the first file of each has to be one.
    """
    if is_in_classes(path):
        first = [*_first_files(path)]
        return bool(first) and all(map(_begins_as_dicom, first))
    if (path / MANIFEST).is_file():
        return any(_begins_as_dicom(path / name) for name in _named(path / MANIFEST))
    return any(_begins_as_dicom(path / found.path) for found in walk(path))


def is_in_classes(root: Path) -> bool:
    """Whether a folder has `train/` or `test/`, and no manifest."""
    return not (root / MANIFEST).is_file() and any(
        (root / name).is_dir() for name in ("train", "test")
    )


def _first_files(root: Path) -> Iterator[Path]:
    """One of each class folder, at any depth."""
    for folder in root.glob("*/*/"):
        visible = (
            Path(place, name)
            for place, _, names in os.walk(folder)
            for name in sorted(names)
            if not name.startswith(".")
        )
        yield from itertools.islice(visible, 1)


def _named(manifest: Path) -> Iterator[str]:
    """Paths in a manifest that are no PNG or JPEG; what is wrong with it, its reader says."""
    with suppress(OSError, ValueError, csv.Error), manifest.open(encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            name = row.get("path") or ""
            if name and not name.lower().endswith(IMAGE_SUFFIXES):
                yield name


def _begins_as_dicom(path: Path) -> bool:
    with suppress(OSError, ValueError), path.open("rb") as stream:
        return begins_as_dicom(stream.read(PREAMBLE))
    return False
