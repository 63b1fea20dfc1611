"""A folder of images described by `manifest.csv`: what a hospital's export usually looks like.

Columns: `path` and `label`; perhaps `case_id`, `patient_id` and `split`; any other column is an
attribute to slice by. Where a mistake in the file could go unseen (a misspelt `patient_id`
would put one patient on both sides), it is refused by its line.
"""

import csv
import functools
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.cases.columns import OPTIONAL, REQUIRED, read_columns, refuse_split_words
from components.cases.files import MANIFEST, FileListing, FileSource, ImageFile
from components.cases.labels import map_labels
from components.cases.patients import EACH_FILE, parse_name, refuse_unknown_numbers
from components.cases.reading import PLAIN, Reading
from components.cases.splits import SPLIT_WORDS, SplitCheck, require_both_classes
from components.records.case import ReadAs
from components.records.errors import SourceError, suggestion


def open_manifest(path: Path, spec: str, reading: Reading = PLAIN) -> FileSource:
    """The source in a folder with a `manifest.csv`.

    Without a split column, patients are split 60/20/20 into train, tune and test by their id.
    Without a patient_id column, a file's name may say whose it is; otherwise every case is a
    patient of its own.

    Raises:
      SourceError: naming the manifest's line, where a line is at fault.
    """
    root = path.resolve()
    listing = list_manifest(root, reading=reading)
    for split, files in listing.files.items():
        require_both_classes(spec, split, (file.label for file in files))
    return FileSource(root, spec, root.name, list_manifest, reading, listing.read_as)


def list_manifest(root: Path, span: str = "", reading: Reading = PLAIN) -> FileListing:
    """The files of each split, in the manifest's order.

    Args:
      span: name of the span that the folder is, "" for a source of its own. A span has no test
        split unless its manifest says so, and its paths are unique within it only, so a case id
        made of a path begins with the span. A patient id does not: what may be one patient is
        kept in one split.

    Raises:
      SourceError: naming the manifest's line, where a line is at fault.
    """
    try:
        return _parse(root, (root / MANIFEST).read_bytes(), span, reading)
    except OSError as error:
        raise SourceError(f"{root / MANIFEST}: cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class _Row:
    """A line of a manifest, by the names under which its columns are read."""

    where: str
    cells: Mapping[str, str]


# Every shard needs the listing; it is kept until the manifest's bytes change.
@functools.lru_cache(maxsize=1)
def _parse(root: Path, content: bytes, span: str, reading: Reading) -> FileListing:
    columns, rows = _rows(root, content, reading)
    by_split: dict[str, list[ImageFile]] = {"train": [], "tune": [], "test": []}
    check = SplitCheck()
    words: dict[str, str] = {}
    for row in rows:
        words.setdefault(row.cells["label"], row.where)
    labels = map_labels(words, dict(reading.labels))
    refuse_split_words(f"{root / MANIFEST}:1", _values(rows, columns, reading))
    known_as: Counter[str] = Counter()
    unnamed: list[PurePosixPath] = []
    for row in rows:
        label = labels[row.cells["label"]]
        if label is None:
            continue
        split, file, found = _read_row(root, row, label, span, reading)
        check.add(row.where, split, file.patient_id, case_id=file.case_id, path=file.path)
        by_split[split].append(file)
        known_as[found] += 1
        if not found:
            unnamed.append(PurePosixPath(file.path).with_suffix(""))
    if reading.patient_pattern != EACH_FILE:
        refuse_unknown_numbers(str(root / MANIFEST), unnamed)
    return FileListing(by_split, ReadAs(labels, known_as, _notes(columns, reading)))


def _rows(root: Path, content: bytes, reading: Reading) -> tuple[list[str], list[_Row]]:
    """The names under which columns are read, and the lines that are not empty."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{root / MANIFEST}:{line}: not UTF-8; export it as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        columns = read_columns(f"{root / MANIFEST}:1", next(reader, []), reading)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(f"{root / MANIFEST}:{reader.line_num}", columns, cells))
    except csv.Error as error:
        raise SourceError(f"{root / MANIFEST}:{reader.line_num}: {error}") from None
    return columns, rows


def _row(where: str, columns: Sequence[str], cells: Sequence[str]) -> _Row:
    if len(cells) != len(columns):
        raise SourceError(f"{where}: {len(cells)} cells; wanted {len(columns)}, as in line 1")
    row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if column}
    for column in (*REQUIRED, *OPTIONAL):
        if row.get(column) == "":
            raise SourceError(f"{where}: no {column}")
    return _Row(where, row)


def _attributes(columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name and name not in (*REQUIRED, *OPTIONAL)]


def _values(rows: Sequence[_Row], columns: Sequence[str], reading: Reading) -> dict[str, set[str]]:
    """What the attributes hold that nobody said to be some, in small letters."""
    names = [name for name in _attributes(columns) if name not in reading.attributes]
    return {name: {row.cells[name].lower() for row in rows} for name in names}


def _read_row(
    root: Path, row: _Row, label: int, span: str, reading: Reading
) -> tuple[str, ImageFile, str]:
    """The split, the file, and what its patient was found by."""
    path, cells = _confined(root, row.where, row.cells["path"]), row.cells
    own_id = cells.get("case_id", str(path.with_suffix("")))
    case_id = f"{span}/{own_id}" if span and "case_id" not in cells else own_id
    patient_id, found = cells.get("patient_id"), "the manifest's column"
    if patient_id is None:
        name = parse_name(path.with_suffix(""), label, reading.patient_pattern)
        patient_id, found = name.patient or own_id, name.known_as
    split = _split(row, patient_id, span, reading)
    attributes = {name: cells[name] for name in _attributes(list(cells))}
    return split, ImageFile(str(path), case_id, patient_id, label, attributes), found


def _split(row: _Row, patient_id: str, span: str, reading: Reading) -> str:
    word = row.cells.get("split", "").lower()
    if word and word not in SPLIT_WORDS:
        raise SourceError(
            f"{row.where}: unknown split '{row.cells['split']}'{suggestion(word, SPLIT_WORDS)}"
        )
    return reading.split_of(patient_id, SPLIT_WORDS.get(word, ""), test=not span)


def _notes(columns: Sequence[str], reading: Reading) -> tuple[str, ...]:
    said = [f"{role} is '{column}'" for role, column in reading.columns]
    said += [f"'{name}' is not read" for name in reading.ignore]
    if attributes := _attributes(columns):
        said.append(f"attributes are {', '.join(attributes)}")
    notes = [f"columns: {'; '.join(said)}"] if said else []
    if "split" not in columns or reading.tune_from_train is not None:
        shares = reading.shares(test="split" not in columns)
        parts = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        notes.append(f"splits: by patient, {parts}")
    return tuple(notes)


def _confined(root: Path, where: str, text: str) -> PurePosixPath:
    """The path of a file that stands in the folder, symbolic links followed."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\0" in text:
        raise SourceError(f"{where}: path '{text}' leaves the folder; wanted one inside it")
    target = (root / path).resolve()
    if not target.is_relative_to(root):
        raise SourceError(f"{where}: path '{text}' is a link that leads out of the folder")
    if not target.is_file():
        raise SourceError(f"{where}: no file '{text}' in {root}")
    return path
