"""Which cases a model was trained and tuned on, as a file named by its Merkle root.

One line per case in the order of the pictures' hashes: so one image can be proven to be among them
by a path of hashes, and not to be among them by the two neighbours it would stand between
(components/lineage/proof.py). A manifest is written once and serves every run on the same data.

An index beside it, `ROOT.index`, says at which bytes a value may stand; the line there is read and
compared in full. It is made from the manifest, again where it is missing or older, and is evidence
of nothing: what counts is the manifest, whose root was recorded.

    header   "casegate-index-1", size of the manifest, number of keys: 8 bytes each after the name
    keys     the first 64 bits of a hash of each value, in order
    offsets  where the line of each key begins
"""

import hashlib
import heapq
import mmap
import os
import struct
import tempfile
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import orjson

from components.records.case import CaseRecord, is_case_row
from components.records.errors import IntegrityError
from components.records.files import create_beside, sync, write_atomically
from components.records.merkle import merkle_root


@dataclass(frozen=True, slots=True)
class TrainingRow(CaseRecord):
    """A case that a model was trained or tuned on; `split`: train or tune."""

    split: str = field(kw_only=True)

    @property
    def order(self) -> tuple[str, str]:
        """Where it stands in a manifest: by picture, which is what a proof is asked about."""
        return self.pixels_sha256, self.case_id


def parse_row(line: bytes) -> TrainingRow | None:
    """The row a line spells; None where it is none. Whether it is canonical its hash says."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    sound = is_case_row(row, TrainingRow) and type(row["split"]) is str and row["split"]
    return TrainingRow(**row) if sound else None


SUFFIX = ".jsonl"
SORTED_AT_ONCE = 100_000  # cases held in memory; more are sorted in portions on disk


@dataclass(frozen=True)
class TrainingData:
    """Attributes:
    root: Merkle root (hex) over the lines of the manifest at `path`.
    splits: cases by split.
    """

    root: str
    path: Path
    cases: int
    positives: int
    patients: int
    splits: dict[str, int]


def manifest_path(folder: Path, root: str) -> Path:
    """Where the manifest with this root is kept."""
    return folder / f"{root}{SUFFIX}"


def write_manifest(
    rows: Iterable[TrainingRow], folder: Path, *, at_once: int = SORTED_AT_ONCE
) -> TrainingData:
    """Writes the manifest of these cases, in any order, unless `folder` holds it already.

    Args:
      at_once: how many rows to hold in memory, beside the ids of all patients.

    Raises:
      IntegrityError: a row with text that is not Unicode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = _Counts()
    with ExitStack() as stack:
        lines = _in_order(counts.counted(rows), folder, stack, at_once)
        descriptor, temporary = create_beside(folder / "manifest")
        stack.callback(temporary.unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as file:
            root = merkle_root(_copied(lines, file))
            file.flush()
            os.fsync(file.fileno())
        path = manifest_path(folder, root)
        if not path.exists():
            temporary.replace(path)
            sync(folder)
            build_index(path)
    return counts.of(path, root)


def read_manifest(path: Path, *, root: str | None = None) -> Iterator[TrainingRow]:
    """The rows of a manifest, one at a time, none of them before all were checked.

    Args:
      root: as it was recorded; None takes the one in the file's name.

    Raises:
      IntegrityError: missing, other lines than `root` stands for, not rows, or out of order.
    """
    _refuse_other_root(path, merkle_root(read_lines(path)), path.stem if root is None else root)
    before = ("", "")
    for number, line in enumerate(read_lines(path), 1):
        row = parse_row(line)
        if row is None or row.order < before:
            fault = "not a training case" if row is None else "out of order"
            raise IntegrityError(f"{path}:{number}: {fault}; it was not written by casegate")
        before = row.order
        yield row


def check_manifest(path: Path, *, root: str | None = None) -> TrainingData:
    """Reads a manifest from end to end, as `read_manifest` does."""
    counts = _Counts()
    deque(counts.counted(read_manifest(path, root=root)), maxlen=0)
    return counts.of(path, root or path.stem)


def verified_lines(path: Path, *, root: str) -> tuple[bytes, ...]:
    """The lines of a manifest, read once: what was checked against the root is what is returned.

    Raises:
      IntegrityError: missing, or other lines than `root` stands for.
    """
    lines = tuple(read_lines(path))
    _refuse_other_root(path, merkle_root(lines), root)
    return lines


def _refuse_other_root(path: Path, got: str, wanted: str) -> None:
    if got != wanted:
        raise IntegrityError(
            f"{path}: its Merkle root is {got[:12]}..., {wanted[:12]}... was recorded: the "
            "manifest was altered; restore it from a copy"
        )


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a manifest without their line feeds, unchecked.

    Raises:
      IntegrityError: it cannot be read, or ends within a line.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    raise IntegrityError(f"{path}: ends within a line; restore it from a copy")
                yield line[:-1]
    except OSError as error:
        raise IntegrityError(
            f"{path}: the training manifest cannot be read ({error.strerror}); restore it"
        ) from None


@dataclass
class _Counts:
    cases: int = 0
    positives: int = 0
    patients: set[str] = field(default_factory=set)
    splits: dict[str, int] = field(default_factory=dict)

    def counted(self, rows: Iterable[TrainingRow]) -> Iterator[TrainingRow]:
        """The same rows, each counted as it passes."""
        for row in rows:
            self.cases += 1
            self.positives += row.label
            self.patients.add(row.patient_id)
            self.splits[row.split] = self.splits.get(row.split, 0) + 1
            yield row

    def of(self, path: Path, root: str) -> TrainingData:
        splits = dict(sorted(self.splits.items()))
        return TrainingData(root, path, self.cases, self.positives, len(self.patients), splits)


def _in_order(
    rows: Iterable[TrainingRow], folder: Path, stack: ExitStack, at_once: int
) -> Iterator[bytes]:
    """The rows' lines in the order of the manifest; portions that wait do so in files."""
    coming = iter(rows)
    portions: list[Iterable[bytes]] = []
    # A new object for each line, with its line feed: what orjson returns holds kilobytes.
    while portion := sorted((*row.order, row.line() + b"\n") for row in islice(coming, at_once)):
        lines = [line for _, _, line in portion]
        if len(portion) < at_once and not portions:
            portions.append(lines)
            break
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        file.writelines(lines)
        file.seek(0)
        portions.append(file)
        del portion, lines
    return heapq.merge(*portions, key=_order_of) if len(portions) > 1 else chain(*portions)


def _order_of(line: bytes) -> tuple[tuple[str, str], bytes]:
    row = parse_row(line)
    assert row is not None  # it was written a moment ago
    return row.order, line


def _copied(lines: Iterable[bytes], file: BinaryIO) -> Iterator[bytes]:
    """The records in these lines, each line written to `file` as it passes."""
    for line in lines:
        file.write(line)
        yield line[:-1]


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
    index = _mapped(index_path(manifest), manifest.stat()) or build_index(manifest)
    found = _rows_at(manifest, _offsets(index, keys))
    if None in found:  # the index leads to places where no case begins
        found = _rows_at(manifest, _offsets(build_index(manifest), keys))
    return [row for row in found if row is not None and is_sought(row, wanted)]


def is_sought(row: object, wanted: Iterable[Sought]) -> bool:
    """Whether a case has any of these values."""
    return any(getattr(row, kind) == value for kind, value in wanted)


def _rows_at(manifest: Path, offsets: list[int]) -> list[TrainingRow | None]:
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


def _offsets(index: bytes | mmap.mmap, keys: Iterable[int]) -> list[int]:
    """Where lines with these keys begin, in order."""
    _, _, count = _HEADER.unpack(index[: _HEADER.size])
    found = set()
    with memoryview(index) as content, content[_HEADER.size :].cast("Q") as numbers:
        for key in keys:
            place = bisect_left(numbers, key, 0, count)
            while place < count and numbers[place] == key:
                found.add(numbers[count + place])
                place += 1
    return sorted(found)


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
    return None


def _key(kind: str, value: str) -> int:
    """64 bits that stand for a value: of its own where it is a hash, else of its SHA-256."""
    if kind.endswith("_sha256"):
        with suppress(ValueError):
            return int(value[:16], 16)
    text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")
