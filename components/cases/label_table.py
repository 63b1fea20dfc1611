"""Labels and splits of DICOM files, from a table beside them or elsewhere.

Its rows name a file by `path`, or a picture by SOPInstanceUID, StudyInstanceUID or AccessionNumber,
which never get further than this module. Columns: one of these, `label`, perhaps `split` and
`patient_id`, and attributes.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.cases.labels import map_labels
from components.cases.reading import Reading
from components.cases.splits import SPLIT_WORDS
from components.dicom.facts import KEYS, FileFacts
from components.dicom.files import Found
from components.dicom.pseudonyms import Pseudonyms
from components.records.errors import SourceError, suggestion

PATH = "path"
# Which kind of hash stands for an element: files of one study share it.
KIND = dict(zip(KEYS, ("case", "study", "accession"), strict=True))
# What a table may say of a case without being asked; `data.columns.attributes` names others.
ATTRIBUTES = ("site", "aetiology")
_REST = ("label", "split", "patient_id")


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a row says.

    Attributes:
      where: the table and the line, or the class folder.
      left_out: why its picture becomes no case; empty where it does.
      split: train, tune or test; empty where the table leaves that to the patient's id.
      patient_id: keyed hash; empty where the picture's own holds.
    """

    where: str
    label: int
    left_out: str
    split: str
    patient_id: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class LabelTable:
    """Attributes:
    key: `path`, or the element by which the rows name pictures.
    rows: by path, or by the keyed hash of that element.
    labels: every word for a class to its label, None where its pictures are left out.
    ignored: columns that nobody asked for.
    """

    key: str
    rows: Mapping[str, Labelled]
    labels: Mapping[str, int | None]
    ignored: tuple[str, ...]


class LabelLookup:
    """Which row of the table speaks of a file, each of one and each file by one."""

    def __init__(self, labels: LabelTable) -> None:
        self._labels = labels
        self._used: set[str] = set()
        self._views: dict[tuple[str, str], str] = {}
        self._without: list[str] = []

    def row(self, found: Found, facts: FileFacts, *, is_case: bool) -> Labelled | None:
        """The row, if any.

        Raises:
          SourceError: it speaks of two pictures of one view.
        """
        key = {PATH: found.path, **dict(zip(KEYS, (facts.case_id, facts.study, facts.accession)))}[
            self._labels.key
        ]
        row = self._labels.rows.get(key)
        self._used.add(key)
        if is_case and row is None and not facts.fault:
            self._without.append(facts.case_id)
        if is_case and row is not None:
            first = self._views.setdefault((key, facts.view), facts.case_id)
            if first != facts.case_id:
                raise SourceError(
                    f"{row.where}: its {self._labels.key} is that of two pictures of one view, "
                    f"cases {first} and {facts.case_id}; name pictures by {KEYS[0]}"
                )
        return row

    def finish(self, where: str) -> None:
        """Raises SourceError for a picture without a row, or a row without a file."""
        if self._without:
            raise SourceError(
                f"{where}: {len(self._without)} pictures have no label, the first is case "
                f"{self._without[0]}; wanted a row for each in the table of labels"
            )
        absent = [row.where for key, row in self._labels.rows.items() if key not in self._used]
        if absent:
            raise SourceError(
                f"{absent[0]}: no file has this {self._labels.key}, and none that of "
                f"{len(absent) - 1} more rows; remove them"
            )


def read_labels(path: Path, pseudonyms: Pseudonyms, reading: Reading) -> LabelTable:
    """The table in a CSV file.

    Args:
      reading: which words mean which label, which columns what, and which become attributes.

    Raises:
      SourceError: naming the line at fault, and no value that could be a patient's.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not UTF-8; export it as CSV UTF-8") from None
    header, *lines = list(_lines(path, text)) or [("", [])]
    columns = [_role(name, reading) for name in header[1]]
    key, taken = _columns(f"{path}:1", columns, reading.attributes)
    cells = [(where, _cells(where, key, columns, line)) for where, line in lines]
    words: dict[str, str] = {}
    for where, row in cells:
        words.setdefault(row["label"], where)
    labels = map_labels(words, dict(reading.labels))
    rows: dict[str, Labelled] = {}
    for where, row in cells:
        name = row[key] if key != PATH else str(PurePosixPath(row[key]))
        name = name if key == PATH else pseudonyms.of(KIND[key], name)
        if name in rows:
            raise SourceError(f"{where}: the same {key} as in {rows[name].where}; wanted once")
        label = labels[row["label"]]
        rows[name] = Labelled(
            where,
            label or 0,
            f"labelled {row['label']}" if label is None else "",
            _split(where, row.get("split", "")),
            pseudonyms.of("patient", row.get("patient_id", "")),
            {name: row[name] for name in taken if row[name]},
        )
    used = {*KEYS, PATH, "case_id", *_REST, *taken, *reading.ignore}
    return LabelTable(key, rows, labels, tuple(name for name in columns if name not in used))


def _lines(path: Path, text: str) -> Iterator[tuple[str, list[str]]]:
    """Each line that is not empty, with where it stands."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"{path}:{reader.line_num}", [cell.strip() for cell in cells]
    except csv.Error as error:
        raise SourceError(f"{path}:{reader.line_num}: {error}") from None


def _role(name: str, reading: Reading) -> str:
    """A column by what it means here."""
    role = {column: role for role, column in reading.columns}.get(name, name)
    return "patient_id" if role == "patient" else role


def _columns(where: str, names: Sequence[str], wanted: Sequence[str]) -> tuple[str, list[str]]:
    """The column that names pictures, and those that become attributes."""
    for name in names:
        if not name or names.count(name) > 1:
            raise SourceError(f"{where}: column '{name}' is unnamed or there twice")
    key = next((name for name in (PATH, *KEYS) if name in names), None)
    if key is None:
        raise SourceError(f"{where}: no column {', '.join((PATH, *KEYS))}; wanted one of them")
    if "label" not in names:
        raise SourceError(f"{where}: no column 'label'{suggestion('label', names)}")
    for name in wanted:
        if name not in names:
            raise SourceError(f"{where}: no column '{name}' of data.columns.attributes")
    return key, [*(name for name in ATTRIBUTES if name in names), *wanted]


def _cells(where: str, key: str, columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) != len(columns):
        raise SourceError(f"{where}: {len(cells)} cells; wanted {len(columns)}, as in line 1")
    row = dict(zip(columns, cells, strict=True))
    for column in (key, *_REST):
        if row.get(column) == "":
            raise SourceError(f"{where}: no {column}")
    return row


def _split(where: str, word: str) -> str:
    if word and word.lower() not in SPLIT_WORDS:
        clause = suggestion(word.lower(), SPLIT_WORDS)
        raise SourceError(f"{where}: unknown split '{word}'{clause}")
    return SPLIT_WORDS.get(word.lower(), "")
