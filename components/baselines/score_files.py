"""Score files of any framework: CSV or Parquet with `case_id, score`, as a team's code wrote it.

What a failed model says (nothing, NaN, infinity) is kept, for the gate has to see and block it.
What is no number at all is refused, because nobody can tell what was meant.
"""

import csv
import difflib
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.baselines.rows import shown
from components.errors import SourceError

NEEDED = ("case_id", "score")
COLUMNS = (*NEEDED, "label", "operating_point")
PARQUET = (".parquet", ".pq")
NO_VALUE = ("", "na", "null")  # as tables write it
LABELS = {"0": 0, "0.0": 0, "false": 0, "negative": 0, "1": 1, "1.0": 1, "true": 1, "positive": 1}
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
            from components.baselines.score_parquet import read_parquet

            return read_parquet(path)
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
    """`rows`: a csv.reader, which knows its line."""
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
    raise SourceError(f"{where}: score: got {_short(text)}, wanted a number{hint}")


def _label(text: str, where: str) -> int:
    try:
        return LABELS[text.strip().lower()]
    except KeyError:
        raise SourceError(f"{where}: label: got {_short(text)}, wanted 0 or 1") from None


def one_point(texts: Iterable[str], path: Path) -> float:
    """The operating point that every row states.

    Raises:
      SourceError: the rows differ, or state no number.
    """
    points = set()
    for text in sorted(texts):
        try:
            point = float(text)
        except ValueError:
            point = math.nan
        if not math.isfinite(point):
            raise SourceError(f"{path}: operating_point: got {_short(text)}, wanted a number")
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
    for name in COLUMNS:
        if names.count(name) > 1:
            raise SourceError(f"{path}: column '{name}' stands twice; remove one")
        if name in NEEDED and name not in names:
            raise SourceError(f"{path}: column '{name}' is missing{_near(name, names)}")
    return {name: names.index(name) for name in COLUMNS if name in names}


def ignored_of(names: Iterable[str]) -> tuple[str, ...]:
    """The other columns, in order."""
    return tuple(sorted(set(names) - set(COLUMNS)))


def _near(name: str, names: Sequence[str]) -> str:
    plain = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name, plain, n=1)
    if close:
        return f"; did you mean '{shown(plain[close[0]])}'?"
    found = ", ".join(shown(other) for other in names[:NAMED]) or "nothing"
    return f"; found {found}{', ...' if len(names) > NAMED else ''}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
