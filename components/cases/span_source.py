"""Training data in spans: what one span holds, and several of them as one source.

A span is a folder with a manifest, a folder with class folders, or an .npz file. Unlike a source of
its own it has no test split and may lack a class: it is a week's cases, and what is trained on is
a window of them. No patient is on both sides. Where spans have splits of their own they are kept,
and must agree; elsewhere the patient's id decides, so that a patient who comes back months later
is in the split that they were in before.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.cases.files import MANIFEST, ImageFile, file_sha256, files_sha256, read_image_file
from components.cases.folder import list_class_folders
from components.cases.manifest import list_manifest
from components.cases.npz import NpzRow, list_npz, read_npz_row
from components.cases.spans import parse_spans
from components.cases.splits import SplitCheck, cut_shards, require_both_classes
from components.records.case import BadCase, Case, Shard
from components.records.errors import SourceError

SPLITS = ("train", "tune")
SpanRow = ImageFile | NpzRow  # a case before its image is read


@dataclass(frozen=True)
class Span:
    """Where a span is.

    Attributes:
      name: of the folder, or of the file without its suffix; every case has it as `span`.
    """

    number: int
    name: str
    path: Path

    @property
    def _is_file(self) -> bool:
        return self.path.suffix.lower() == ".npz"

    def rows(self) -> Mapping[str, Sequence[SpanRow]]:
        """The rows of train and of tune, in the order in which they are read.

        Raises:
          SourceError: the span cannot be used, or has test cases.
        """
        listed = self._listed()
        if listed["test"]:
            raise SourceError(
                f"{self.path}: {len(listed['test'])} cases in split 'test', the first "
                f"{listed['test'][0].path}; wanted train and tune, the case set stands elsewhere"
            )
        return listed

    def _listed(self) -> Mapping[str, Sequence[SpanRow]]:
        if self._is_file:
            return list_npz(self.path, self.name)
        if (self.path / MANIFEST).is_file():
            return list_manifest(self.path, self.name)
        if (self.path / "train").is_dir():
            return list_class_folders(self.path, self.name)
        raise SourceError(
            f"{self.path}: wanted a folder with {MANIFEST} or with train/, or an .npz"
        )

    def read(self, split: str, start: int, stop: int) -> Iterator[Case | BadCase]:
        """The cases of some rows of a split, each with the span as an attribute."""
        for row in self.rows()[split][start:stop]:
            if isinstance(row, ImageFile):
                case = read_image_file(self.path, row)
            else:
                case = read_npz_row(self.path, row)
            if isinstance(case, BadCase):
                yield replace(case, where=f"{self.name}/{case.where}")
            else:
                yield replace(case, attributes={"span": self.name, **case.attributes})

    def fingerprint(self) -> str:
        """SHA-256 (hex) of its name and of every byte in its files; none is taken on trust."""
        if self._is_file:
            content = file_sha256(self.path)
        else:
            paths = (row.path for rows in self.rows().values() for row in rows)
            content = files_sha256(self.path, paths)
        return hashlib.sha256(f"{self.number}\0{self.name}\0{content}".encode()).hexdigest()


@dataclass(frozen=True)
class SpanSource:
    """The training and tuning cases of some spans; made by `open_spans`, which checks them.

    Attributes:
      rows: how many each span has of each split, in the order of SPLITS.
    """

    spec: str
    name: str
    spans: tuple[Span, ...]
    rows: tuple[tuple[int, ...], ...]
    synthetic: bool = False

    def fingerprint(self) -> str:
        """SHA-256 over the spans' numbers, names and contents."""
        digest = hashlib.sha256(b"casegate-spans-v1\n")
        for span in self.spans:
            digest.update(bytes.fromhex(span.fingerprint()))
        return digest.hexdigest()

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        """Shards of train or tune, in the order of the spans; none of test."""
        return cut_shards(split, sum(self._counts(split)), cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        first = 0
        for span, count in zip(self.spans, self._counts(shard.split)):
            start, stop = max(shard.start - first, 0), min(shard.stop - first, count)
            if start < stop:
                if len(span.rows()[shard.split]) != count:
                    raise SourceError(f"{span.path}: changed while it was read; run again")
                yield from span.read(shard.split, start, stop)
            first += count

    def _counts(self, split: str) -> list[int]:
        if split not in SPLITS:
            return [0 for _ in self.rows]
        return [counts[SPLITS.index(split)] for counts in self.rows]


def open_spans(spec: str) -> SpanSource:
    """The source of `spans:PATTERN@NUMBERS`.

    Raises:
      SourceError: a span is not there or cannot be used, a case stands twice, a patient is in
        train of one span and in tune of another, or the spans together lack a class.
    """
    chosen, paths = parse_spans(spec)
    spans = tuple(
        Span(number, name, path.resolve())
        for number, name, path in zip(chosen.numbers, chosen.names, paths)
    )
    check = SplitCheck(": give every span a split or none, and a patient_id")
    labels: dict[str, set[int]] = {split: set() for split in SPLITS}
    counts = []
    for span in spans:
        listed = span.rows()
        for split in SPLITS:
            for row in listed[split]:
                if row.is_image:
                    where = f"{span.path}: {row.path}"
                    check.add(where, split, row.patient_id, case_id=row.case_id)
                    labels[split].add(row.label)
        counts.append(tuple(len(listed[split]) for split in SPLITS))
    for split in SPLITS:
        require_both_classes(chosen.spec, split, labels[split])
    folder = paths[0].parent.resolve().name
    return SpanSource(chosen.spec, folder, spans, tuple(counts))
