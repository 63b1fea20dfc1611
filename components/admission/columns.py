"""The cases of a run as columns: a million of them fit, which a million records do not."""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.records.case import CaseRecord
from components.records.case_index import read_figures, read_records

NO_HASH = bytes(64)


@dataclass(frozen=True)
class SeenCase:
    """A case and where it was read.

    Attributes:
      shard: name of the file that its record stands in, without suffix.
      line: of that file, from 0.
    """

    record: CaseRecord
    split: str
    shard: str
    line: int


@dataclass(frozen=True, eq=False)
class CaseColumns:
    """Attributes:
    texts: every value of a split or an attribute once.
    splits, labels: shape (n_cases,), places in `texts` and bool.
    hashes: perceptual ones, shape (n_cases, 64); all zero where a picture has none.
    attributes: by name, places in `texts`, shape (n_cases,); of "" where a case has none.
    figures: by name, shape (n_cases,); empty where the index has none.
    """

    texts: NDArray[np.str_]
    splits: NDArray[np.int32]
    labels: NDArray[np.bool_]
    hashes: NDArray[np.uint8]
    attributes: dict[str, NDArray[np.int32]]
    figures: dict[str, NDArray[np.float64]]

    def in_split(self, name: str) -> NDArray[np.bool_]:
        """Which cases are in a split, shape (n_cases,)."""
        return np.asarray(self.texts[self.splits] == name)

    @property
    def without_hash(self) -> int:
        return int((~self.hashes.any(axis=1)).sum())


def read_columns(folders: Sequence[Path], figure_names: Sequence[str]) -> CaseColumns:
    """The columns of the cases in some folders of an index each, in the order of `read_seen`."""
    splits, labels, hashes = array("i"), bytearray(), bytearray()
    texts: dict[str, int] = {"": 0}
    codes: dict[str, array[int]] = {}
    for place, seen in enumerate(read_seen(folders)):
        splits.append(texts.setdefault(seen.split, len(texts)))
        labels.append(seen.record.label)
        hashes += bytes.fromhex(seen.record.perceptual_hash) or NO_HASH
        for name, text in seen.record.attributes.items():
            column = codes.setdefault(name, array("i"))
            column.extend(bytes(place - len(column)))
            column.append(texts.setdefault(text, len(texts)))
    for column in codes.values():
        column.extend(bytes(len(labels) - len(column)))
    figures = read_figures(path.with_suffix(".figures") for path in _shards(folders))
    named = dict(zip(figure_names, figures.T)) if len(figures) == len(labels) else {}
    return CaseColumns(
        np.array(list(texts)),
        np.array(splits, np.int32),
        np.array(labels, bool),
        np.frombuffer(hashes, np.uint8).reshape(-1, len(NO_HASH)),
        {name: np.array(column, np.int32) for name, column in codes.items()},
        named,
    )


def read_seen(folders: Sequence[Path]) -> Iterator[SeenCase]:
    """Every case in these folders, one at a time."""
    for path in _shards(folders):
        for line, record in enumerate(read_records(path)):
            yield SeenCase(record, path.name.partition("-")[0], path.stem, line)


def seen_at(folders: Sequence[Path], places: Collection[int]) -> dict[int, SeenCase]:
    """The cases at some places, counted as in `read_columns`."""
    if not places:
        return {}
    last = max(places)
    found = {}
    for place, seen in enumerate(read_seen(folders)):
        if place in places:
            found[place] = seen
        if place == last:
            break
    return found


def _shards(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.glob("*-*.jsonl"))
