"""A score file's rows brought into the order of the case set, checked against its labels."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.baselines.case_set import CaseSet
from components.baselines.score_files import ScoreTable
from components.baselines.scores import CaseScores, encode_score, float64
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.text import first_few


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
        if self._complete(places):
            ids, scores = self._ids, np.empty(places.size)
            scores[places] = table.scores
            whose: object = self._root
        else:
            rows = sorted(zip(table.case_ids, table.scores.tolist()), key=_by_id_and_score)
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

    def _complete(self, places: NDArray[np.int64]) -> bool:
        """Whether each case is there exactly once."""
        n = len(self._ids)
        if places.size != n or (places < 0).any():
            return False
        return bool((np.bincount(places, minlength=n) == 1).all())

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
            named = first_few(case_ids[place] for place in others)
            raise IntegrityError(
                f"{where}: labels differ from those of {self._name}: {named}; mend the file, or "
                "amend the case set by name"
            )


def _by_id_and_score(row: tuple[str, float]) -> tuple[str, bool, float]:
    """A total order, NaN last."""
    case_id, score = row
    return case_id, math.isnan(score), 0.0 if math.isnan(score) else score
