"""The predictions of a log as columns, which a million lines fit into."""

import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from components.drift.log_line import Line
from components.drift.sample import UNLABELLED, Floats

MOST_FEATURES = 100  # of either kind; more come from a key where a value should be
UNSAID = -1  # of a decision
_NAN = float("nan")


class Columns:
    """Columns of equal length that grow by a line at a time.

    Attributes:
      at_ms, scores, labels, positive: UNLABELLED and UNSAID where the line says nothing.
      case_ids, versions, sha256s: text, number or None.
      further: by row, what few servers write: patient_id, pixels_sha256 and image.
      left_out: names of features beyond MOST_FEATURES.
    """

    def __init__(self) -> None:
        self.case_ids: list[str] = []
        self.at_ms = array("q")
        self.scores = array("d")
        self.labels = array("b")
        self.positive = array("b")
        self.versions: list[int | None] = []
        self.sha256s: list[str | None] = []
        self.further: dict[int, Mapping[str, str]] = {}
        self.left_out: set[str] = set()
        self._numbers: dict[str, array[float]] = {}
        self._words: dict[str, list[str | None]] = {}

    def __len__(self) -> int:
        return len(self.case_ids)

    def add(self, line: Line, score: float) -> None:
        said, row = line.said, len(self.case_ids)
        self.case_ids.append(line.case_id)
        self.at_ms.append(line.at_ms)
        self.scores.append(score)
        self.labels.append(UNLABELLED if line.label is None else line.label)
        positive = said.get("positive")
        self.positive.append(UNSAID if positive is None else positive)
        self.versions.append(said.get("model_version"))
        sha256 = said.get("model_sha256")
        self.sha256s.append(None if sha256 is None else sys.intern(sha256))
        for name, value in said.get("quality", {}).items():
            numbers = self._numbers.get(name)
            if numbers is None:
                if not self._admits(name, self._numbers):
                    continue
                numbers = self._numbers[name] = array("d")
            if len(numbers) < row:
                numbers.extend([_NAN] * (row - len(numbers)))
            numbers.append(_NAN if value is None else value)
        for name, value in said.get("attributes", {}).items():
            words = self._words.get(name)
            if words is None:
                if not self._admits(name, self._words):
                    continue
                words = self._words[name] = []
            if len(words) < row:
                words.extend([None] * (row - len(words)))
            words.append(sys.intern(value) if value else None)
        further = {k: said[k] for k in ("patient_id", "pixels_sha256", "image") if k in said}
        if further:
            self.further[row] = further

    def _admits(self, name: str, known: Mapping[str, Any]) -> bool:
        if len(known) < MOST_FEATURES:
            return True
        if len(self.left_out) < MOST_FEATURES:
            self.left_out.add(name)
        return False

    def numbers(self, rows: npt.NDArray[np.intp]) -> dict[str, Floats]:
        """The quality features of these rows, NaN where unknown."""
        found = {}
        for name, column in sorted(self._numbers.items()):
            whole = np.full(len(self), np.nan)
            whole[: len(column)] = column
            found[name] = whole[rows]
        return found

    def words(self, rows: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[np.object_]]:
        """The attributes of these rows, None where unknown."""
        found = {}
        for name, column in sorted(self._words.items()):
            whole = np.full(len(self), None, dtype=np.object_)
            whole[: len(column)] = column
            found[name] = whole[rows]
        return found

    def newest_of_each(self, rows: Iterable[int]) -> npt.NDArray[np.intp]:
        """Of each case among these rows the one predicted last, in the order of time.

        What was written later counts where two were predicted at the same time.
        """
        newest: dict[str, int] = {}
        for row in rows:
            before = newest.get(self.case_ids[row])
            if before is None or self.at_ms[row] >= self.at_ms[before]:
                newest[self.case_ids[row]] = row
        found = np.fromiter(newest.values(), np.intp, len(newest))
        found.sort()
        return found[np.argsort(np.asarray(self.at_ms)[found], kind="stable")]
