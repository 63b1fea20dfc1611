"""Training data that arrives piece by piece: which spans are there, and which of them are used.

A span is one delivery, `data/chest/span-0001`; its number is written into the pattern as TFX's
ExampleGen does: `{SPAN}` any number of digits, `{SPAN:4}` four, with leading zeros. A span
arrives by being renamed to its full name, so that none is ever seen half written.

A span is a folder with a manifest, a folder with class folders, or an .npz file. It has no test
split and may lack a class: it is a week's cases, and what is trained on is a window of them. No
patient is on both sides. Where spans have splits of their own they are kept, and must agree;
elsewhere the patient's id decides, so that a patient who comes back months later is in the split
that they were in before.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.cases.dicom_folder import is_dicom_folder
from components.cases.files import (
    MANIFEST,
    ImageFile,
    file_sha256,
    files_sha256,
    fingerprint_as_read,
    read_image_file,
)
from components.cases.folder import list_class_folders
from components.cases.manifest import list_manifest
from components.cases.npz import READ_AS, NpzRow, list_npz, read_npz_row
from components.cases.reading import PLAIN, Reading, refuse_reading
from components.cases.splits import SplitCheck, cut_shards, require_both_classes
from components.records.case import BadCase, Case, ReadAs, Shard
from components.records.errors import SourceError, suggestion

KIND = "spans"
WINDOWS = ("expanding", "rolling")

_PLACEHOLDER = re.compile(r"\{[A-Za-z]+(?::[^{}]*)?\}")
_SPAN = re.compile(r"\{SPAN(?::([1-9]|1[0-8]))?\}")
_NUMBERS = re.compile(r"\d{1,18}(?:-\d{1,18})?(?:,\d{1,18}(?:-\d{1,18})?)*", re.ASCII)
_MOST = 100_000  # spans that a range may stand for
_NAMED = 6


@dataclass(frozen=True)
class Spans:
    """Spans that are there, in the order of their numbers; at least one.

    Attributes:
      pattern: as a person would type it, canonical.
    """

    pattern: str
    spans: tuple["Span", ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(span.number for span in self.spans)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(span.name for span in self.spans)

    @property
    def spec(self) -> str:
        """The source of exactly these spans: `spans:data/chest/span-{SPAN:4}@1-3,5`."""
        return f"{KIND}:{self.pattern}@{_as_ranges(self.numbers)}"

    @property
    def missing(self) -> tuple[tuple[int, int], ...]:
        """First and last number of each gap between the first span and the newest."""
        pairs = zip(self.numbers, self.numbers[1:])
        return tuple((one + 1, other - 1) for one, other in pairs if other > one + 1)

    @property
    def notice(self) -> str:
        """What a person should know of the gaps, in one line; empty where there is none."""
        if not self.missing:
            return ""
        gaps = [_as_range(first, last) for first, last in self.missing]
        more = f" and {len(gaps) - _NAMED} more gaps" if len(gaps) > _NAMED else ""
        return f"{self.pattern}: no span {', '.join(gaps[:_NAMED])}{more}; went on without"


def span_pattern(text: str) -> bool:
    """Whether the text is a path with a placeholder, right or wrong, and no finished source."""
    return _PLACEHOLDER.search(text) is not None and not text.startswith(f"{KIND}:")


def resolve_spans(pattern: str, *, window: str, window_spans: int) -> Spans:
    """The spans that are there now and that the window holds.

    Args:
      window: "expanding", all of them; "rolling", the newest.
      window_spans: how many a rolling window holds; fewer where there are fewer.

    Raises:
      SourceError: the pattern is wrong, no span is there, or two have one number.
    """
    if window not in WINDOWS:
        raise SourceError(f"window: got '{window}', wanted {' or '.join(WINDOWS)}")
    if window_spans < 1:
        raise SourceError(f"window_spans: got {window_spans}, wanted 1 or more")
    found = find_spans(pattern)
    wanted = sorted(found) if window == "expanding" else sorted(found)[-window_spans:]
    return _chosen(pattern, found, wanted)


def parse_spans(spec: str) -> Spans:
    """The spans that `Spans.spec` stands for.

    Raises:
      SourceError: no such spec, or one of its spans is not there.
    """
    pattern, at, numbers = spec.removeprefix(f"{KIND}:").rpartition("@")
    if not at or not _NUMBERS.fullmatch(numbers):
        raise SourceError(f"{spec}: wanted numbers of spans, as in {KIND}:x/span-{{SPAN:4}}@1-3,5")
    wanted = sorted(set(_from_ranges(spec, numbers)))
    found = find_spans(pattern)
    absent = [number for number in wanted if number not in found]
    if absent:
        raise SourceError(
            f"{spec}: span {_as_ranges(absent)} is not there; found {_as_ranges(sorted(found))}"
        )
    return _chosen(pattern, found, wanted)


def find_spans(pattern: str) -> dict[int, Path]:
    """Every span of a pattern by its number; other names beside them are passed over.

    Raises:
      SourceError: the pattern is wrong, no span is there, two have one number, or a number is
        written in another width than the pattern's, so that nobody would ever miss it.
    """
    folder, before, width, after = _parse(pattern)
    any_width = re.compile(f"{re.escape(before)}([0-9]+){re.escape(after)}")
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise SourceError(f"{pattern}: looked into {folder}: {error.strerror}") from None
    found: dict[int, Path] = {}
    for name in names:
        match = any_width.fullmatch(name)
        if match is None:
            continue
        if width and len(match[1]) != width:
            raise SourceError(
                f"{folder / name}: wanted {width} digits, as {pattern} says; rename it"
            )
        other = found.setdefault(int(match[1]), folder / name)
        if other.name != name:
            raise SourceError(f"{pattern}: {other} and {folder / name} have one number; rename one")
    if not found:
        example = f"{before}{'1'.zfill(width)}{after}"
        beside = f"found {names[:_NAMED]}" if names else "the folder is empty"
        raise SourceError(f"{pattern}: no span in {folder}; wanted e.g. {example}, {beside}")
    return found


def _parse(pattern: str) -> tuple[Path, str, int, str]:
    """The folder that is looked into, and what stands around the number of how many digits.

    The width is 0 where any will do.
    """
    folder, name = os.path.split(os.path.normpath(pattern))
    placeholders = _PLACEHOLDER.findall(pattern)
    wanted = "wanted {SPAN}, or {SPAN:4} for four digits, once, in the last part of the path"
    for placeholder in placeholders:
        if not _SPAN.fullmatch(placeholder):
            word = placeholder.strip("{}").partition(":")[0]
            unknown = suggestion(word.upper(), ["SPAN"]) if word.upper() != "SPAN" else ""
            close = unknown if "did you mean" in unknown else ""
            raise SourceError(f"{pattern}: {placeholder} is not supported; {wanted}{close}")
    found = _SPAN.search(name)
    if len(placeholders) != 1 or found is None or "\0" in pattern:
        raise SourceError(f"{pattern}: {wanted}".replace("\0", "\\0"))
    where = Path(folder or ".").expanduser()
    return where, name[: found.start()], int(found[1] or 0), name[found.end() :]


def _chosen(pattern: str, found: Mapping[int, Path], wanted: Sequence[int]) -> Spans:
    spans = tuple(Span.found(number, found[number]) for number in wanted)
    return Spans(os.path.normpath(pattern), spans)


def _as_ranges(numbers: Iterable[int]) -> str:
    """1-3,5 for the numbers 1, 2, 3 and 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(_as_range(first, last) for first, last in runs)


def _as_range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _from_ranges(spec: str, text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or len(numbers) > _MOST:
            raise SourceError(f"{spec}: got {part}, wanted a range of 1 to {_MOST:,} spans")
        yield from numbers


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
    reading: Reading = PLAIN

    @classmethod
    def found(cls, number: int, path: Path) -> "Span":
        """The span at a path, which may be a link of another name than what it leads to."""
        name = path.stem if path.suffix.lower() == ".npz" else path.name
        return cls(number, name, path.resolve())

    @property
    def _is_file(self) -> bool:
        return self.path.suffix.lower() == ".npz"

    def rows(self) -> Mapping[str, Sequence[SpanRow]]:
        """The rows of train and of tune, in the order in which they are read.

        Raises:
          SourceError: the span cannot be used, or has test cases.
        """
        listed = self._listed()[0]
        if listed["test"]:
            raise SourceError(
                f"{self.path}: {len(listed['test'])} cases in split 'test', the first "
                f"{listed['test'][0].path}; wanted train and tune, the case set stands elsewhere"
            )
        return listed

    def read_as(self) -> ReadAs:
        """How its names are read."""
        return self._listed()[1]

    def _listed(self) -> tuple[Mapping[str, Sequence[SpanRow]], ReadAs]:
        if self._is_file:
            refuse_reading(str(self.path), self.reading)
            return list_npz(self.path, self.name), READ_AS
        if (self.path / MANIFEST).is_file():
            listing = list_manifest(self.path, self.name, self.reading)
        elif (self.path / "train").is_dir():
            listing = list_class_folders(self.path, self.name, self.reading)
        else:
            raise SourceError(
                f"{self.path}: wanted a folder with {MANIFEST} or with train/, or an .npz"
            )
        return listing.files, listing.read_as

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
            content = fingerprint_as_read(files_sha256(self.path, paths), self.reading)
        return hashlib.sha256(f"{self.number}\0{self.name}\0{content}".encode()).hexdigest()


@dataclass(frozen=True)
class SpanSource:
    """The training and tuning cases of some spans; made by `open_spans`, which checks them.

    Attributes:
      rows: how many each span has, by split.
    """

    spec: str
    name: str
    spans: tuple[Span, ...]
    rows: Mapping[str, Sequence[int]]
    read_as: ReadAs
    synthetic: bool = False

    def fingerprint(self) -> str:
        """SHA-256 over the spans' numbers, names and contents."""
        digest = hashlib.sha256(b"casegate-spans-v1\n")
        for span in self.spans:
            digest.update(bytes.fromhex(span.fingerprint()))
        return digest.hexdigest()

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        """Shards of train or tune, in the order of the spans; none of test."""
        return cut_shards(split, sum(self.rows.get(split, ())), cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        first = 0
        for span, count in zip(self.spans, self.rows[shard.split]):
            start, stop = max(shard.start - first, 0), min(shard.stop - first, count)
            if start < stop:
                if len(span.rows()[shard.split]) != count:
                    raise SourceError(f"{span.path}: changed while it was read; run again")
                yield from span.read(shard.split, start, stop)
            first += count


def open_spans(spec: str, reading: Reading = PLAIN) -> SpanSource:
    """The source of `spans:PATTERN@NUMBERS`.

    Raises:
      SourceError: a span is not there or cannot be used, a case stands twice, a patient is in
        train of one span and in tune of another, or the spans together lack a class.
    """
    chosen = parse_spans(spec)
    check = SplitCheck(": give every span a split or none, and a patient_id")
    labels: dict[str, set[int]] = {split: set() for split in SPLITS}
    counts: dict[str, list[int]] = {split: [] for split in SPLITS}
    spans = tuple(replace(span, reading=reading) for span in chosen.spans)
    for span in spans:
        _refuse_dicom(span)
        for split, rows in span.rows().items():
            for row in (row for row in rows if row.is_image):
                where = f"{span.path}: {row.path}"
                check.add(where, split, row.patient_id, case_id=row.case_id)
                labels[split].add(row.label)
            counts.setdefault(split, []).append(len(rows))
    for split in SPLITS:
        require_both_classes(chosen.spec, split, labels[split])
    read_as = ReadAs.together(span.read_as() for span in spans)
    return SpanSource(chosen.spec, spans[0].path.parent.name, spans, counts, read_as)


def _refuse_dicom(span: Span) -> None:
    """Refuses a span of DICOM files, whose paths would stand in records as they are."""
    if span.path.is_dir() and is_dicom_folder(span.path):
        raise SourceError(
            f"{span.path}: DICOM files, which are no span; name their folder as data.source, "
            "without {SPAN}"
        )
