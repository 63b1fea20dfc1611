"""Cases in one .npz file laid out as MedMNIST does: images and labels of train, val and test.

The file names no patients. The same picture is taken to be the same patient, so a train image
that stands in val too is left out of train: no patient is in two splits. Images are handed on
as PNG; only their pixel hash is stable, since compressors differ in the bytes they write.
"""

import functools
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.cases.files import file_sha256
from components.cases.images import MAX_PIXELS, MIN_SIDE, encode_png, samples_sha256
from components.cases.splits import TRAIN_TUNE, assign_split, cut_shards, require_both_classes
from components.records.case import NEGATIVE, POSITIVE, BadCase, Case, ReadAs, Shard
from components.records.errors import SourceError
from components.records.text import brief

PREFIXES: Mapping[str, str] = {"train": "train", "tune": "val", "test": "test"}
READ_AS = ReadAs(
    {"0": NEGATIVE, "1": POSITIVE}, notes=("patients: the same picture is the same patient",)
)
_MOST_KEPT = 8
_CHUNK = 2**20
_DAMAGE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    SyntaxError,
    struct.error,
    RuntimeError,
)


@dataclass(frozen=True)
class NpyMember:
    """An array in an .npz file, as its header describes it.

    Attributes:
      name: of the array, without ".npy".
      data_offset: bytes of header before the first row.
      changed_ns: when the file was last changed; readers of an older file are not reused.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data_offset: int
    changed_ns: int

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize


@dataclass(frozen=True)
class NpzSource:
    """Cases of an .npz file; made by `open_npz`, which checks it."""

    path: Path
    spec: str
    name: str
    read_as: ReadAs = READ_AS
    synthetic: bool = False

    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        return file_sha256(self.path)

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        if split not in PREFIXES:
            return []
        return cut_shards(split, _images(self.path, split).shape[0], cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        """The shard's cases, but for train images that stand in val too.

        Raises:
          SourceError: the file is damaged.
        """
        labels = _labels(self.path, shard.split, shard.start, shard.stop)
        images = _images(self.path, shard.split)
        tuned: Collection[str] = ()
        if shard.split == "train":
            tuned = frozenset(_picture_hashes(_images(self.path, "tune")))
        rows = iterate_rows(images, shard.start, shard.stop)
        for row, (label, stored) in enumerate(zip(labels, rows), shard.start):
            samples = _native(stored)
            digest = samples_sha256(samples)
            if digest not in tuned:
                case_id = f"{self.name}-{PREFIXES[shard.split]}-{row:05d}"
                yield Case(case_id, f"px-{digest}", label, encode_png(samples))


def open_npz(path: Path, spec: str) -> NpzSource:
    """The source in an .npz file.

    Raises:
      SourceError: an array is missing, or is not what it should be; a class is empty.
    """
    absolute = path.resolve()
    refuse_damaged(absolute, absolute.stat().st_mtime_ns)
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
        labels, pictures = _labels(path, split), _picture_hashes(_images(path, split))
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
    return Case(row.case_id, row.patient_id, row.label, encode_png(_native(stored)))


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


# Digests only: some 100 bytes for each image. As many arrays as a span is read from.
@functools.lru_cache(maxsize=2)
def _picture_hashes(images: NpyMember) -> tuple[str, ...]:
    return tuple(samples_sha256(_native(row)) for row in iterate_rows(images, 0, images.shape[0]))


def _native(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The samples in this machine's byte order."""
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


# A run opens the same file several times.
@functools.lru_cache(maxsize=2)
def refuse_damaged(path: Path, changed_ns: int) -> None:
    """Reads every array of a file, and compares it with the checksum that the file has of it.

    Who reads rows would notice only at the end of an array, when something is trained already.

    Args:
      changed_ns: when the file was last changed.

    Raises:
      SourceError: no .npz file, or a damaged one; names the array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except _DAMAGE as error:
        raise _damaged(path, "arrays", error) from None
    if damaged:
        raise _damaged(path, damaged.removesuffix(".npy"), ValueError("its checksum is wrong"))


def array_names(path: Path) -> frozenset[str]:
    """The arrays in a file. Raises SourceError where it is no .npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(item.removesuffix(".npy") for item in archive.namelist())
    except _DAMAGE as error:
        raise _damaged(path, "arrays", error) from None


def describe_member(path: Path, name: str) -> NpyMember:
    """The header of an array.

    Raises:
      SourceError: no such file or array, damage, or an array that would need unpickling.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{name}.npy" not in archive.namelist():
                found = sorted(item.removesuffix(".npy") for item in archive.namelist())
                raise SourceError(f"{path}: no array '{name}'; found {found}")
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as stream:
                shape, column_major, dtype = _read_header(stream)
                member = NpyMember(path, name, shape, dtype, stream.tell(), path.stat().st_mtime_ns)
            expected = member.data_offset + member.row_bytes * (shape[0] if shape else 1)
            if dtype.hasobject or not shape or info.file_size != expected:
                raise SourceError(f"{path}: {name}: not a plain array; wanted numbers in rows")
            if column_major and len(shape) > 1:
                raise SourceError(
                    f"{path}: {name}: stored by columns; save numpy.ascontiguousarray of it"
                )
            return member
    except _DAMAGE as error:
        raise _damaged(path, name, error) from None


# Shards mostly come in order: the reader that ended a shard is kept for the next one, because
# starting over inflates everything before it again. At most a few open files per process.
_kept: dict[tuple[NpyMember, int], IO[bytes]] = {}


def iterate_rows(member: NpyMember, start: int, stop: int) -> Iterator[npt.NDArray[Any]]:
    """Rows `start` to `stop` (exclusive, cut at the end), each an array of `shape[1:]`.

    `numpy.load` would read the whole array, and data sets of many gigabytes come as one.

    Raises:
      SourceError: the file is damaged.
    """
    key = (member, os.getpid())  # a forked child shares the file offset of an open reader
    stream = _kept.pop(key, None)
    first = member.data_offset + start * member.row_bytes
    try:
        if stream is None or stream.tell() > first:
            with zipfile.ZipFile(member.path) as archive:  # which its readers outlive
                stream = archive.open(f"{member.name}.npy")
        # Read, not sought: from Python 3.12 on a seek ends the check of the sum at the end.
        while (before := first - stream.tell()) > 0 and stream.read(min(before, _CHUNK)):
            pass
        for _ in range(start, min(stop, member.shape[0])):
            data = stream.read(member.row_bytes)
            if len(data) < member.row_bytes:
                raise EOFError("the file ends early")
            yield np.frombuffer(data, member.dtype).reshape(member.shape[1:])
    except _DAMAGE as error:
        if stream is not None:
            stream.close()
        raise _damaged(member.path, member.name, error) from None
    else:
        while len(_kept) >= _MOST_KEPT:
            _kept.popitem()[1].close()
        _kept[key] = stream


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether stored by columns, and type. The names are untyped in numpy's stubs."""
    npy: Any = np.lib.format
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the .npy format")
    shape, column_major, dtype = readers[version](stream)
    return shape, column_major, dtype


def _damaged(path: Path, name: str, error: Exception) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{path}: no such file")
    reason = brief(error)
    return SourceError(f"{path}: {name}: damaged or not an .npz file ({reason}); copy it again")
