"""What a score file holds, whatever its format, and which columns mean something in it."""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.records.errors import SourceError
from components.records.text import spell

NEEDED = ("case_id", "score")
COLUMNS = (*NEEDED, "label", "operating_point")
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
        return f"; did you mean '{spell(plain[close[0]])}'?"
    found = ", ".join(spell(other) for other in names[:NAMED]) or "nothing"
    return f"; found {found}{', ...' if len(names) > NAMED else ''}"


def abridged(text: str) -> str:
    """A cell as an error shows it."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
