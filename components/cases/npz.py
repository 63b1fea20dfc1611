"""Cases in one .npz file laid out as MedMNIST does: images and labels of train, val and test.

The file names no patients. The same picture is taken to be the same patient, so a train image
that stands in val too is left out of train: no patient is in two splits. Images are handed on
as PNG; only their pixel hash is stable, since compressors differ in the bytes they write.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.cases.files import file_sha256
from components.cases.images import MAX_PIXELS, MIN_SIDE, encode_png, samples_sha256
from components.cases.npy_rows import NpyMember, array_names, describe_member, iterate_rows
from components.cases.splits import TRAIN_TUNE, assign_split, cut_shards, require_both_classes
from components.records.case import NEGATIVE, POSITIVE, BadCase, Case, Shard
from components.records.errors import SourceError

PREFIXES: Mapping[str, str] = {"train": "train", "tune": "val", "test": "test"}


@dataclass(frozen=True)
class NpzSource:
    """Cases of an .npz file; made by `open_npz`, which checks it."""

    path: Path
    spec: str
    name: str
    synthetic: bool = False

    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        return file_sha256(self.path)

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        if split not in PREFIXES:
            return []
        return cut_shards(split, _images(self.path, split).shape[0], cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        """The shard's cases, but for train images that stand in val too (see `dropped`).

        Raises:
          SourceError: the file is damaged.
        """
        labels = _labels(self.path, shard.split, shard.start, shard.stop)
        prefix = f"{self.name}-{PREFIXES[shard.split]}"
        for row, samples, digest in self._kept(shard):
            yield Case(
                case_id=f"{prefix}-{row:05d}",
                patient_id=f"px-{digest}",
                label=labels[row - shard.start],
                image=encode_png(samples),
            )

    def dropped(self, split: str) -> int:
        """Rows that `read` leaves out of a split because their picture stands in val."""
        shards = self.shards(split)
        return sum(s.stop - s.start - sum(1 for _ in self._kept(s)) for s in shards)

    def _kept(self, shard: Shard) -> Iterator[tuple[int, npt.NDArray[Any], str]]:
        """Row, samples and pixel hash of the rows that are cases."""
        images = _images(self.path, shard.split)
        elsewhere = _pictures(_images(self.path, "tune")) if shard.split == "train" else ()
        for row, stored in enumerate(iterate_rows(images, shard.start, shard.stop), shard.start):
            samples = stored.astype(stored.dtype.newbyteorder("="), copy=False)
            digest = samples_sha256(samples)
            if digest not in elsewhere:
                yield row, samples, digest


def open_npz(path: Path, spec: str) -> NpzSource:
    """The source in an .npz file.

    Raises:
      SourceError: an array is missing, or is not what it should be; a class is empty.
    """
    absolute = path.resolve()
    for split in PREFIXES:
        images, labels = _images(absolute, split), _labels(absolute, split)
        _require_as_many(spec, split, images.shape[0], len(labels))
        require_both_classes(spec, split, labels)
    return NpzSource(absolute, spec, path.stem)


@dataclass(frozen=True)
class NpzRow:
    """A case in an .npz file that is a span.

    Attributes:
      path: the array and the row, for messages.
      split: whose array the row is in; not the split that the case is used in.
    """

    path: str
    case_id: str
    patient_id: str
    label: int
    split: str
    row: int
    is_image: bool = True


def list_npz(path: Path, span: str) -> Mapping[str, Sequence[NpzRow]]:
    """The rows of each split, where the file is the span of this name.

    The file need not have val and test. It names no patients, so the picture decides whether it
    is trained or tuned on, wherever it stands: the same one may come again in another span.

    Raises:
      SourceError: an array is missing, or is not what it should be.
    """
    by_split: dict[str, list[NpzRow]] = {"train": [], "tune": [], "test": []}
    names = array_names(path)
    for split, prefix in PREFIXES.items():
        if split != "train" and f"{prefix}_images" not in names:
            continue
        labels, pictures = _labels(path, split), _ordered_pictures(_images(path, split))
        _require_as_many(str(path), split, len(pictures), len(labels))
        for row, (label, digest) in enumerate(zip(labels, pictures)):
            used = split if split == "test" else assign_split(f"px-{digest}", TRAIN_TUNE)
            case_id = f"{span}-{prefix}-{row:05d}"
            found = NpzRow(f"{prefix}_images[{row}]", case_id, f"px-{digest}", label, split, row)
            by_split[used].append(found)
    return by_split


def read_npz_row(path: Path, row: NpzRow) -> Case:
    """The case of a row. Rows in ascending order are read in one pass over the file."""
    (stored,) = iterate_rows(_images(path, row.split), row.row, row.row + 1)
    samples = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    return Case(row.case_id, row.patient_id, row.label, encode_png(samples))


def _require_as_many(where: str, split: str, images: int, labels: int) -> None:
    if images != labels:
        name = f"{PREFIXES[split]}_images"
        raise SourceError(f"{where}: {images} {name} but {labels} labels; wanted as many")


def _images(path: Path, split: str) -> NpyMember:
    """The images of a split: uint8 (n, h, w) or (n, h, w, 3), or uint16 (n, h, w)."""
    member = describe_member(path, f"{PREFIXES[split]}_images")
    shape, dtype = member.shape, member.dtype
    grey = len(shape) == 3 and dtype.kind == "u" and dtype.itemsize in (1, 2)
    colour = len(shape) == 4 and shape[3] == 3 and dtype == np.uint8
    if not (grey or colour):
        raise SourceError(
            f"{path}: {member.name}: got {dtype} {shape}; "
            "wanted uint8 (n, h, w) or (n, h, w, 3), or uint16 (n, h, w)"
        )
    if min(shape[1:3]) < MIN_SIDE or shape[1] * shape[2] > MAX_PIXELS:
        raise SourceError(f"{path}: {member.name}: images of {shape[2]} x {shape[1]} pixels")
    return member


def _labels(path: Path, split: str, start: int = 0, stop: int | None = None) -> list[int]:
    """The labels of rows `start` to `stop` (exclusive) of a split, each 0 or 1."""
    member = describe_member(path, f"{PREFIXES[split]}_labels")
    if member.dtype.kind not in "uib" or member.shape[1:] not in ((), (1,)):
        raise SourceError(
            f"{path}: {member.name}: got {member.dtype} {member.shape}; wanted integers (n, 1)"
        )
    rows = iterate_rows(member, start, member.shape[0] if stop is None else stop)
    labels = [int(row.item()) for row in rows]
    found = sorted(set(labels))
    if not set(found) <= {NEGATIVE, POSITIVE}:
        raise SourceError(f"{path}: {member.name}: labels {found[:12]}; wanted 0 and 1")
    return labels


# Digests only: some 100 bytes for each image of the tuning split, which is the smallest.
@functools.lru_cache(maxsize=1)
def _pictures(images: NpyMember) -> frozenset[str]:
    """Pixel hashes of every image of an array."""
    return frozenset(_hashed(images))


@functools.lru_cache(maxsize=2)  # as many arrays as a span is read from
def _ordered_pictures(images: NpyMember) -> tuple[str, ...]:
    """Pixel hash of every row."""
    return tuple(_hashed(images))


def _hashed(images: NpyMember) -> Iterator[str]:
    for row in iterate_rows(images, 0, images.shape[0]):
        yield samples_sha256(row.astype(row.dtype.newbyteorder("=")))
