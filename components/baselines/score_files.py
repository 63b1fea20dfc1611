"""Score files of any framework: CSV or Parquet with `case_id, score`, as a team's code wrote it.

What a failed model says (nothing, NaN, infinity) is kept, for the gate has to see and block it.
What is no number at all is refused, because nobody can tell what was meant.
"""

import csv
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.score_table import (
    LABELS,
    ScoreTable,
    abridged,
    ignored_of,
    one_point,
    places_of,
)
from components.records.errors import SourceError

PARQUET = (".parquet", ".pq")
NO_VALUE = ("", "na", "null")  # as tables write it


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
    raise SourceError(f"{where}: score: got {abridged(text)}, wanted a number{hint}")


def _label(text: str, where: str) -> int:
    try:
        return LABELS[text.strip().lower()]
    except KeyError:
        raise SourceError(f"{where}: label: got {abridged(text)}, wanted 0 or 1") from None
