"""Rows of an array inside an .npz file, without loading the array.

`numpy.load` reads a member whole. Data sets of many gigabytes come as one member, so rows are
read one at a time: a stored member is sought in, a compressed one is inflated forward only.
"""

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.records.errors import SourceError

_LOCAL_HEADER_BYTES = 30
_SKIP_BYTES = 1 << 20
_MOST_PARKED = 8
_DAMAGE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    SyntaxError,
    struct.error,
    NotImplementedError,
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


@dataclass
class _Cursor:
    """An open member and the row that the next read gives."""

    stream: IO[bytes]
    row: int


# Shards mostly come in order: the reader that ended a shard is kept for the next one, because
# starting over inflates everything before it again. At most a few open files per process.
_parked: dict[tuple[NpyMember, int], _Cursor] = {}


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
            info = _find(archive, path, name)
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


def iterate_rows(member: NpyMember, start: int, stop: int) -> Iterator[npt.NDArray[Any]]:
    """Rows `start` to `stop` (exclusive, cut at the end), each an array of `shape[1:]`.

    Raises:
      SourceError: the file is damaged.
    """
    key = (member, os.getpid())  # a forked child shares the file offset of an open reader
    cursor = _parked.pop(key, None)
    try:
        if cursor is None or cursor.row > start:
            _close(cursor)
            cursor = _Cursor(_open_at_first_row(member), 0)
        _skip(cursor, member, start)
        row_bytes = member.row_bytes
        for _ in range(start, min(stop, member.shape[0])):
            data = cursor.stream.read(row_bytes)
            if len(data) < row_bytes:
                raise EOFError("the file ends early")
            cursor.row += 1
            yield np.frombuffer(data, member.dtype).reshape(member.shape[1:])
    except _DAMAGE as error:
        _close(cursor)
        raise _damaged(member.path, member.name, error) from None
    else:
        _park(key, cursor)


def _find(archive: zipfile.ZipFile, path: Path, name: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(f"{name}.npy")
    except KeyError:
        found = sorted(item.removesuffix(".npy") for item in archive.namelist())
        raise SourceError(f"{path}: no array '{name}'; found {found}") from None


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether stored by columns, and type. The names are untyped in numpy's stubs."""
    npy: Any = np.lib.format
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the .npy format")
    shape, column_major, dtype = readers[version](stream)
    return shape, column_major, dtype


def _open_at_first_row(member: NpyMember) -> IO[bytes]:
    with zipfile.ZipFile(member.path) as archive:
        info = archive.getinfo(f"{member.name}.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            stream = archive.open(info)  # outlives the archive, which counts its readers
            stream.read(member.data_offset)
            return stream
    plain = member.path.open("rb")
    plain.seek(info.header_offset)
    # The local header's own name and extra field; the central directory's may be shorter.
    lengths = struct.unpack("<HH", plain.read(_LOCAL_HEADER_BYTES)[26:])
    plain.seek(sum(lengths) + member.data_offset, os.SEEK_CUR)
    return plain


def _skip(cursor: _Cursor, member: NpyMember, row: int) -> None:
    """Moves forward to a row."""
    left = (row - cursor.row) * member.row_bytes
    if isinstance(cursor.stream, zipfile.ZipExtFile):
        while left > 0 and (data := cursor.stream.read(min(left, _SKIP_BYTES))):
            left -= len(data)
    else:
        cursor.stream.seek(left, os.SEEK_CUR)
    cursor.row = row


def _park(key: tuple[NpyMember, int], cursor: _Cursor) -> None:
    while len(_parked) >= _MOST_PARKED:
        _, other = _parked.popitem()
        _close(other)
    _close(_parked.pop(key, None))
    _parked[key] = cursor


def _close(cursor: _Cursor | None) -> None:
    if cursor is not None:
        cursor.stream.close()


def _damaged(path: Path, name: str, error: Exception) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{path}: no such file")
    reason = " ".join(str(error).split()) or type(error).__name__
    return SourceError(f"{path}: {name}: damaged or not an .npz file ({reason}); copy it again")
