"""Which cases a model was trained and tuned on, as a file named by its Merkle root.

One line per case in the order of the pictures' hashes: so one image can be proven to be among them
by a path of hashes, and not to be among them by the two neighbours it would stand between
(components/lineage/proof.py). A manifest is written once and serves every run on the same data.
"""

import heapq
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from components.lineage.training_row import TrainingRow, parse_row
from components.lineage.training_search import build_index
from components.records.errors import IntegrityError
from components.records.files import sync
from components.records.merkle import merkle_root

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
        descriptor, name = tempfile.mkstemp(prefix=".manifest.", dir=folder)
        stack.callback(Path(name).unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as file:
            root = merkle_root(_copied(lines, file))
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # mkstemp makes it private
            os.fsync(file.fileno())
        path = manifest_path(folder, root)
        if not path.exists():
            Path(name).replace(path)
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
    wanted = path.stem if root is None else root
    got = merkle_root(read_lines(path))
    if got != wanted:
        raise IntegrityError(
            f"{path}: its Merkle root is {got[:12]}..., {wanted[:12]}... was recorded: the "
            "manifest was altered; restore it from a copy"
        )
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
    for _ in counts.counted(read_manifest(path, root=root)):
        pass
    return counts.of(path, root or path.stem)


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
