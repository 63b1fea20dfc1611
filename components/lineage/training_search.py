"""Finds a case in thousands of training manifests by a small index beside each.

The index, `ROOT.index`, says at which bytes of the manifest a value may stand; the line is then
read and compared in full. It is made from the manifest, again where it is missing or older, and is
evidence of nothing: what counts is the manifest, whose root was recorded.

    header   "casegate-index-1", size of the manifest, number of keys: 8 bytes each after the name
    keys     the first 64 bits of a hash of each value, in order
    offsets  where the line of each key begins
"""

import hashlib
import mmap
import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from components.lineage.training_row import TrainingRow, parse_row
from components.records.files import write_atomically

Sought = tuple[str, str]
KINDS = ("case_id", "patient_id", "bytes_sha256", "pixels_sha256")
_HEADER = struct.Struct("<16sQQ")
_MAGIC = b"casegate-index-1"


def search(folder: Path, wanted: Collection[Sought]) -> dict[str, list[TrainingRow]]:
    """Root of each manifest in `folder` that has such cases, and those cases, in their order.

    Args:
      wanted: pairs of a kind, one of KINDS, and a value; a row with any of them is found.
    """
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        if rows := find_rows(path, wanted):
            found[path.stem] = rows
    return found


def find_rows(manifest: Path, wanted: Collection[Sought]) -> list[TrainingRow]:
    """The cases of one manifest with any of these values, in their order."""
    keys = {_key(kind, value) for kind, value in wanted}
    with _index_of(manifest) as index:
        found = _rows_at(manifest, index.offsets(keys))
    if None in found:  # the index leads to places where no case begins
        with _Index(build_index(manifest)) as index:
            found = _rows_at(manifest, index.offsets(keys))
    return [row for row in found if row is not None and is_sought(row, wanted)]


def is_sought(row: TrainingRow, wanted: Iterable[Sought]) -> bool:
    """Whether a case has any of these values."""
    return any(getattr(row, kind) == value for kind, value in wanted)


def _rows_at(manifest: Path, offsets: list[int]) -> list[TrainingRow | None]:
    if not offsets:
        return []
    rows = []
    with manifest.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            rows.append(parse_row(file.readline()))
    return rows


def index_path(manifest: Path) -> Path:
    return manifest.with_suffix(".index")


def build_index(manifest: Path) -> bytes:
    """Writes the index of a manifest, where the folder can be written to, and returns it."""
    import numpy as np

    keys, offsets, offset = array("Q"), array("Q"), 0
    with manifest.open("rb") as file:
        for line in file:
            if (row := parse_row(line)) is not None:
                keys.extend(_key(kind, getattr(row, kind)) for kind in KINDS)
                offsets.extend([offset] * len(KINDS))
            offset += len(line)
    unsorted = np.array(keys, dtype="<u8")
    order = np.argsort(unsorted, kind="stable")
    content = _HEADER.pack(_MAGIC, offset, len(keys))
    content += unsorted[order].tobytes() + np.array(offsets, dtype="<u8")[order].tobytes()
    with suppress(OSError):  # an auditor may read where he may not write
        write_atomically(index_path(manifest), content)
    return content


class _Index:
    """An index that is mapped into memory, or was just made; a context manager."""

    def __init__(self, content: "bytes | mmap.mmap") -> None:
        self._content = content
        _, _, self._count = _HEADER.unpack(content[: _HEADER.size])

    def offsets(self, keys: Iterable[int]) -> list[int]:
        """Where lines with these keys begin, in order."""
        found = set()
        with memoryview(self._content) as content, content[_HEADER.size :].cast("Q") as numbers:
            for key in keys:
                place = bisect_left(numbers, key, 0, self._count)
                while place < self._count and numbers[place] == key:
                    found.add(numbers[self._count + place])
                    place += 1
        return sorted(found)

    def __enter__(self) -> "_Index":
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._content, mmap.mmap):
            self._content.close()


def _index_of(manifest: Path) -> _Index:
    mapped = _mapped(index_path(manifest), manifest.stat())
    return _Index(build_index(manifest)) if mapped is None else _Index(mapped)


def _mapped(path: Path, manifest: os.stat_result) -> mmap.mmap | None:
    """The index at `path`; None where it is missing, damaged, or not of the manifest as it is."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mtime_ns < manifest.st_mtime_ns:
                return None
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    if status.st_size >= _HEADER.size:
        magic, size, count = _HEADER.unpack(content[: _HEADER.size])
        whole = status.st_size == _HEADER.size + 16 * count
        if magic == _MAGIC and size == manifest.st_size and whole:
            return content
    content.close()
    return None


def _key(kind: str, value: str) -> int:
    """64 bits that stand for a value: of its own where it is a hash, else of its SHA-256."""
    if kind.endswith("_sha256"):
        with suppress(ValueError):
            return int(value[:16], 16)
    text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")
