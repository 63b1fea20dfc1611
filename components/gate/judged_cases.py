"""The case set as arrays, in the order of case_id, cut into slices."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from components.baselines.case_set import CaseSet


class JudgedCases:
    """Labels and slice masks of a case set; each attribute and each slice is worked out once.

    Attributes:
      ids: in order.
      labels: bool, shape (n_cases,), True for positive.
      sentinels: bool, shape (n_cases,).
      patients: int64, shape (n_cases,), one number a patient.
    """

    def __init__(self, case_set: CaseSet) -> None:
        self._cases = case_set.cases
        self.ids = [case.case_id for case in case_set.cases]
        self.labels = np.fromiter((case.label == 1 for case in self._cases), np.bool_)
        self.sentinels = np.fromiter((case.sentinel for case in self._cases), np.bool_)
        patients: dict[str, int] = {}
        self.patients = np.fromiter(
            (patients.setdefault(case.patient_id, len(patients)) for case in self._cases), np.int64
        )
        self._masks: dict[tuple[tuple[str, str], ...], NDArray[np.bool_]] = {}
        self._columns: dict[str, tuple[dict[str | None, int], NDArray[np.int64]]] = {}

    def mask(self, piece: Mapping[str, str]) -> NDArray[np.bool_]:
        """The cases with every one of these values, shape (n_cases,); all cases where empty."""
        key = tuple(sorted(piece.items()))
        if key not in self._masks:
            mask = np.ones(len(self.ids), np.bool_)
            for attribute, value in key:
                codes, column = self._column(attribute)
                mask &= column == codes.get(value, -1)
            mask.flags.writeable = False  # shared by every rule that asks
            self._masks[key] = mask
        return self._masks[key]

    def values(self, attribute: str) -> list[str]:
        """The attribute's values among the cases, in order."""
        codes, _ = self._column(attribute)
        return sorted(value for value in codes if value is not None)

    def chosen(self, mask: NDArray[np.bool_]) -> tuple[str, ...]:
        """The ids of the cases in `mask`, in order."""
        return tuple(self.ids[i] for i in np.flatnonzero(mask))

    def _column(self, attribute: str) -> tuple[dict[str | None, int], NDArray[np.int64]]:
        if attribute not in self._columns:
            codes: dict[str | None, int] = {}
            column = np.fromiter(
                (codes.setdefault(c.attributes.get(attribute), len(codes)) for c in self._cases),
                np.int64,
                len(self._cases),
            )
            self._columns[attribute] = codes, column
        return self._columns[attribute]
