"""Score files of any framework: CSV or Parquet with `case_id, score`, as a team's code wrote it.

What a failed model says (nothing, NaN, infinity) is kept, for the gate has to see and block it.
What is no number at all is refused, because nobody can tell what was meant.
"""

import csv
import difflib
import hashlib
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores, encode_score, float64
from components.records.errors import IntegrityError, SourceError
from components.records.files import canonical_json
from components.records.text import first_few, spell

NEEDED = ("case_id", "score")
COLUMNS = (*NEEDED, "label", "operating_point")
LABELS = {"0": 0, "0.0": 0, "false": 0, "negative": 0, "1": 1, "1.0": 1, "true": 1, "positive": 1}
# What the labels and the operating point are called elsewhere; ignored, they would not be checked.
MEANT = {
    **dict.fromkeys(("labels", "y", "y_true", "true_label", "true_class", "class"), "label"),
    **dict.fromkeys(("truth", "ground_truth", "gt", "target", "diagnosis"), "label"),
    **dict.fromkeys(("threshold", "cutoff", "cut_off", "operating_threshold"), "operating_point"),
}
NAMED = 6  # columns that an error spells out


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """What a score file holds, in the order of its rows.

    Attributes:
      scores: float64, shape (n_rows,).
      labels: int8, 1 positive, 0 negative, shape (n_rows,); None where the file has none.
      operating_point: that of every row; None where the file has none.
      ignored: columns that mean nothing here, in order of name.
    """

    case_ids: Sequence[str]
    scores: NDArray[np.float64]
    labels: NDArray[np.int8] | None
    operating_point: float | None
    ignored: tuple[str, ...]


def parse_point(text: str) -> float | None:
    """An operating point as written; None where the text is no finite number."""
    try:
        point = float(text)
    except ValueError:
        return None
    # Python takes 0_5 for 5, and nobody else does.
    return point if math.isfinite(point) and "_" not in text else None


def one_point(texts: Iterable[str], path: Path) -> float:
    """The operating point that every row states.

    Raises:
      SourceError: the rows differ, or state no number.
    """
    points = set()
    for text in sorted(texts):
        if (point := parse_point(text)) is None:
            raise SourceError(f"{path}: operating_point: got {abridged(text)}, wanted a number")
        points.add(point)
    if len(points) > 1:
        first, second, *_ = sorted(points)
        raise SourceError(
            f"{path}: operating_point: got {first} and {second}, wanted the same in every row"
        )
    return points.pop()


def places_of(names: Sequence[str], path: Path) -> dict[str, int]:
    """Where the columns that mean something stand.

    Raises:
      SourceError: one that is needed is missing, or one stands twice.
    """
    if len(names) == 1 and (separator := next((c for c in ";\t" if c in names[0]), None)):
        what = "semicolons" if separator == ";" else "tabs"
        raise SourceError(f"{path}: separated by {what}, wanted commas and decimal points")
    known = [_known(name) for name in names]
    for name in COLUMNS:
        if known.count(name) > 1:
            raise SourceError(f"{path}: column '{name}' stands twice; remove one")
        if name in NEEDED and name not in known:
            raise SourceError(f"{path}: column '{name}' is missing{_near(name, names)}")
    for name in names:
        meant = MEANT.get(_plain(name), "")
        if meant and meant not in known:
            raise SourceError(
                f"{path}: column '{spell(name)}' may be the {meant}; call it {meant} if it is, "
                "else leave it out"
            )
    return {name: known.index(name) for name in COLUMNS if name in known}


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _known(name: str) -> str:
    """The column of ours that is meant, if any: `Label` is one, as in a manifest."""
    return _plain(name) if _plain(name) in COLUMNS[len(NEEDED) :] else name


def ignored_of(names: Iterable[str]) -> tuple[str, ...]:
    """The other columns, in order."""
    return tuple(sorted({_known(name) for name in names} - set(COLUMNS)))


def _near(name: str, names: Sequence[str]) -> str:
    plain = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name, plain, n=1)
    if close:
        return f"; did you mean '{spell(plain[close[0]])}'?"
    found = ", ".join(spell(other) for other in names[:NAMED]) or "nothing"
    return f"; found {found}{', ...' if len(names) > NAMED else ''}"


def abridged(text: str) -> str:
    """A cell as an error shows it."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


PARQUET = (".parquet", ".pq")
NO_VALUE = ("", "na", "null")  # as tables write it

INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
NUMBERS = ("double", "float", *INTEGERS)

Column = Any  # a pyarrow.Array; its package has no types


def read_score_file(path: Path) -> ScoreTable:
    """The table in a .csv or .parquet file.

    Raises:
      SourceError: unreadable, a column is missing, or a value is none; names the line or row.
    """
    kind = path.suffix.lower()
    try:
        if kind == ".csv":
            return _read_csv(path)
        if kind in PARQUET:
            return _read_parquet(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from None
    raise SourceError(f"{path}: got '{kind}', wanted a .csv or .parquet file of scores")


def _read_csv(path: Path) -> ScoreTable:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            return _from_rows(rows, path)
        except csv.Error as error:
            raise SourceError(f"{path}:{rows.line_num}: not valid CSV: {error}") from None
        except UnicodeDecodeError:
            raise SourceError(f"{path}: not UTF-8 text; save it as CSV in UTF-8") from None


def _from_rows(rows: Any, path: Path) -> ScoreTable:
    header = [name.strip() for name in next(rows, [])]
    places = places_of(header, path)
    case_id, score = places["case_id"], places["score"]
    label, point = places.get("label"), places.get("operating_point")
    case_ids: list[str] = []
    scores, labels, points = array("d"), array("b"), set()
    for row in rows:
        if len(row) != len(header):
            if not row:  # an empty line
                continue
            raise SourceError(
                f"{path}:{rows.line_num}: got {len(row)} fields, wanted {len(header)}"
            )
        if not row[case_id]:
            raise SourceError(f"{path}:{rows.line_num}: got no case_id")
        case_ids.append(row[case_id])
        text = row[score]
        try:
            scores.append(float(text))
        except ValueError:
            scores.append(_no_number(text, f"{path}:{rows.line_num}"))
        if "_" in text:  # which Python takes for a number, and nobody else does
            _no_number(text, f"{path}:{rows.line_num}")
        if label is not None:
            labels.append(_label(row[label], f"{path}:{rows.line_num}"))
        if point is not None:
            points.add(row[point])
    return ScoreTable(
        case_ids=case_ids,
        scores=np.frombuffer(scores) if scores else np.zeros(0),
        labels=np.frombuffer(labels, np.int8) if labels else None,
        operating_point=one_point(points, path) if points else None,
        ignored=ignored_of(header),
    )


def _no_number(text: str, where: str) -> float:
    """NaN where a cell says that there is no value; SourceError where it says something else."""
    if text.strip().lower() in NO_VALUE:
        return float("nan")
    hint = "; write decimal points" if "," in text else ""
    raise SourceError(f"{where}: score: got {abridged(text)}, wanted a number{hint}")


def _label(text: str, where: str) -> int:
    try:
        return LABELS[text.strip().lower()]
    except KeyError:
        raise SourceError(f"{where}: label: got {abridged(text)}, wanted 0 or 1") from None


def _read_parquet(path: Path) -> ScoreTable:
    """Reads Arrow's buffers as they lie in memory, once Arrow has made them of one type.

    What pyarrow offers to make numpy's arrays imports pandas, which takes longer than the whole
    gate. The buffers' layout is Arrow's published format: a bitmap of which values are there, then
    the values or, of text, where each one ends, and the bytes.
    """
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        places = places_of(names, path)
        table = file.read(columns=[names[place] for place in places.values()])
        columns = {name: table[names[place]].combine_chunks() for name, place in places.items()}
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path}: not a Parquet file that can be read: {reason}") from None
    point, label = columns.get("operating_point"), columns.get("label")
    name = "operating_point"
    stated = () if point is None else map(repr, np.unique(_numbers(point, path, name)).tolist())
    return ScoreTable(
        case_ids=_ids(columns["case_id"], path),
        scores=_numbers(columns["score"], path, "score"),
        labels=None if label is None else _labels(label, path),
        operating_point=one_point(points, path) if (points := set(stated)) else None,
        ignored=ignored_of(names),
    )


def _numbers(column: Column, path: Path, name: str) -> NDArray[np.float64]:
    """The values as float64; NaN where there is none."""
    kind = str(column.type)
    if kind not in (*NUMBERS, "null"):
        raise SourceError(f"{path}: column '{name}': got {kind}, wanted numbers")
    return np.where(_there(column), _values(column, "float64"), np.nan)


def _ids(column: Column, path: Path) -> list[str]:
    if column.null_count:
        row = int(np.argmin(_there(column))) + 1
        raise SourceError(f"{path}: row {row}: got no case_id")
    return _texts(column, path, "case_id")


def _labels(column: Column, path: Path) -> NDArray[np.int8]:
    if str(column.type) in (*NUMBERS, "bool"):
        labels = _values(column, "float64")
    else:
        texts = _texts(column, path, "label")
        labels = np.array([LABELS.get(text.strip().lower(), -1) for text in texts], np.float64)
    known = _there(column) & ((labels == 0) | (labels == 1))
    if not known.all():
        raise SourceError(f"{path}: row {int(np.argmin(known)) + 1}: label: wanted 0 or 1")
    return labels.astype(np.int8)


def _texts(column: Column, path: Path, name: str) -> list[str]:
    """The texts, also of whole numbers; an empty one where there is none."""
    from pyarrow import compute

    if str(column.type).startswith("dictionary"):
        column = column.dictionary_decode()
    if str(column.type) not in ("string", "large_string", *INTEGERS):
        raise SourceError(f"{path}: column '{name}': got {column.type}, wanted text")
    texts = compute.cast(column, "large_string")
    _, ends, letters = texts.buffers()
    places = np.frombuffer(ends, "int64")[texts.offset :][: len(texts) + 1].tolist()
    content = bytes(letters or b"")
    if content.isascii():  # then a place among bytes is one among letters
        text = content.decode()
        return [text[start:end] for start, end in pairwise(places)]
    try:
        return [content[start:end].decode() for start, end in pairwise(places)]
    except UnicodeDecodeError:
        raise SourceError(f"{path}: column '{name}': not UTF-8 text") from None


def _values(column: Column, kind: str) -> NDArray:
    """The values as this type; whatever Arrow has where there is none."""
    from pyarrow import compute

    # The function, because the method of the same name imports pandas.
    cast = compute.cast(column, kind, safe=False)
    return np.frombuffer(cast.buffers()[1] or b"", kind)[cast.offset :][: len(cast)]


def _there(column: Column) -> NDArray[np.bool_]:
    """Where a value is, shape (n_rows,)."""
    from pyarrow import compute

    return _values(compute.is_valid(column), "uint8").astype(np.bool_)


class CaseOrder:
    """A case set's order, worked out once for all models that are brought into it."""

    def __init__(self, case_set: CaseSet) -> None:
        self._root = case_set.merkle_root
        self._name = f"{case_set.name} version {case_set.version}"
        self._ids = tuple(case.case_id for case in case_set.cases)
        self._labels = np.fromiter((case.label for case in case_set.cases), np.int8)

    def scores(self, table: ScoreTable, operating_point: float, *, where: str) -> CaseScores:
        """The table as one model's scores; the order of its rows makes no difference.

        Missing, additional and repeated cases are left for the gate to find. Nobody saw the
        model's files, so `model_sha256` is a hash of its scores.

        Args:
          where: names the file in errors.

        Raises:
          IntegrityError: a label is not the case set's.
        """
        places = self._places(table.case_ids)
        if table.labels is not None:
            self._refuse_other_labels(table.case_ids, places, table.labels, where)
        if np.array_equal(np.sort(places), np.arange(len(self._ids))):  # each exactly once
            ids, scores = self._ids, np.empty(places.size)
            scores[places] = table.scores
            whose: object = self._root
        else:
            pairs = zip(table.case_ids, table.scores.tolist())
            rows = sorted(pairs, key=lambda row: (row[0], math.isnan(row[1]), row[1]))  # NaN last
            ids, scores = tuple(row[0] for row in rows), float64([row[1] for row in rows])
            whose = ids
        values = scores.astype("<f8")
        values[np.isnan(values)] = np.nan  # which has many bit patterns
        head = canonical_json(["what a model said", whose, encode_score(operating_point)])
        sha256 = hashlib.sha256(head + b"\n" + values.tobytes()).hexdigest()
        return CaseScores(ids, scores, operating_point, sha256, self._root)

    def _places(self, case_ids: Sequence[str]) -> NDArray[np.int64]:
        """Where each id stands in the case set, -1 where it does not."""
        if tuple(case_ids) == self._ids:
            return np.arange(len(self._ids))
        place = self._place.get
        return np.fromiter((place(name, -1) for name in case_ids), np.int64, len(case_ids))

    @cached_property
    def _place(self) -> dict[str, int]:
        return {case_id: i for i, case_id in enumerate(self._ids)}

    def _refuse_other_labels(
        self,
        case_ids: Sequence[str],
        places: NDArray[np.int64],
        labels: NDArray[np.int8],
        where: str,
    ) -> None:
        if not self._ids:
            return
        others = np.flatnonzero((places >= 0) & (self._labels[places] != labels))
        if others.size:
            named = first_few(case_ids[place] for place in others.tolist())
            raise IntegrityError(
                f"{where}: labels differ from those of {self._name}: {named}; mend the file, or "
                "amend the case set by name"
            )
