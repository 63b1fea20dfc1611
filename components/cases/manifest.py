"""A folder of images described by `manifest.csv`: what a hospital's export usually looks like.

Columns: `path` and `label`; perhaps `case_id`, `patient_id` and `split`; any other column is an
attribute to slice by. Where a mistake in the file could go unseen (a misspelt `patient_id`
would put one patient on both sides), it is refused by its line.
"""

import csv
import difflib
import functools
import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from components.cases.files import MANIFEST, FilesBySplit, FileSource, ImageFile
from components.cases.folder import LABELS
from components.cases.splits import (
    TRAIN_TUNE,
    TRAIN_TUNE_TEST,
    SplitCheck,
    assign_split,
    require_both_classes,
)
from components.records.errors import SourceError, suggestion

REQUIRED = ("path", "label")
OPTIONAL = ("case_id", "patient_id", "split")
SPLIT_WORDS: Mapping[str, str] = {"train": "train", "val": "tune", "tune": "tune", "test": "test"}


def open_manifest(path: Path, spec: str) -> FileSource:
    """The source in a folder with a `manifest.csv`.

    Without a split column, patients are split 60/20/20 into train, tune and test by their id.
    Without a patient_id column, every case is a patient of its own.

    Raises:
      SourceError: naming the manifest's line, where a line is at fault.
    """
    root = path.resolve()
    for split, files in list_manifest(root).items():
        require_both_classes(spec, split, (file.label for file in files))
    return FileSource(root, spec, root.name, list_manifest)


def list_manifest(root: Path, span: str = "") -> FilesBySplit:
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
        return _parse(root, (root / MANIFEST).read_bytes(), span)
    except OSError as error:
        raise SourceError(f"{root / MANIFEST}: cannot be read: {error.strerror}") from None


# Every shard needs the listing; it is kept until the manifest's bytes change.
@functools.lru_cache(maxsize=1)
def _parse(root: Path, content: bytes, span: str) -> FilesBySplit:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{root / MANIFEST}:{line}: not UTF-8; export it as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    by_split: dict[str, list[ImageFile]] = {"train": [], "tune": [], "test": []}
    check = SplitCheck()
    try:
        columns = _check_columns(f"{root / MANIFEST}:1", next(reader, []))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                where = f"{root / MANIFEST}:{reader.line_num}"
                split, file = _parse_row(root, where, columns, cells, span)
                check.add(where, split, file.patient_id, case_id=file.case_id, path=file.path)
                by_split[split].append(file)
    except csv.Error as error:
        raise SourceError(f"{root / MANIFEST}:{reader.line_num}: {error}") from None
    return by_split


def _check_columns(where: str, header: Sequence[str]) -> list[str]:
    """The columns' names; those that mean something here in lower case."""
    known = (*REQUIRED, *OPTIONAL)
    columns = [name.strip() for name in header]
    columns = [name.lower() if name.lower() in known else name for name in columns]
    for name in columns:
        if not name or columns.count(name) > 1:
            raise SourceError(f"{where}: column '{name}' is unnamed or there twice")
    for required in REQUIRED:
        if required not in columns:
            raise SourceError(f"{where}: no column '{required}'; got {columns}")
    for name in columns:
        plain = name.lower().replace(" ", "_").replace("-", "_")
        close = difflib.get_close_matches(plain, OPTIONAL, n=1, cutoff=0.85)
        if name not in known and close and close[0] not in columns:
            raise SourceError(f"{where}: column '{name}'{suggestion(plain, OPTIONAL)}")
    return columns


def _parse_row(
    root: Path, where: str, columns: Sequence[str], cells: Sequence[str], span: str
) -> tuple[str, ImageFile]:
    if len(cells) != len(columns):
        raise SourceError(f"{where}: {len(cells)} cells; wanted {len(columns)}, as in line 1")
    row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    for column in (*REQUIRED, *OPTIONAL):
        if row.get(column) == "":
            raise SourceError(f"{where}: no {column}")
    path = _confined(root, where, row["path"])
    label = row["label"].lower()
    if label not in LABELS:
        raise SourceError(f"{where}: unknown label '{row['label']}'{suggestion(label, LABELS)}")
    own_id = row.get("case_id", str(path.with_suffix("")))
    case_id = f"{span}/{own_id}" if span and "case_id" not in row else own_id
    patient_id = row.get("patient_id", own_id)
    shares = TRAIN_TUNE if span else TRAIN_TUNE_TEST
    word = row.get("split", "").lower() or assign_split(patient_id, shares)
    if word not in SPLIT_WORDS:
        raise SourceError(f"{where}: unknown split '{word}'{suggestion(word, SPLIT_WORDS)}")
    attributes = {name: row[name] for name in columns if name not in (*REQUIRED, *OPTIONAL)}
    return SPLIT_WORDS[word], ImageFile(str(path), case_id, patient_id, LABELS[label], attributes)


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
