"""One case as it was locked, and the strict reading of its row.

Only a row that fails a few comparisons is checked against schemas/case_set.json by jsonschema,
which finds the words.
"""

import sys
from dataclasses import dataclass, fields
from typing import Any

from components.records.case_record import CaseRecord, is_case_row

LABELS = ("negative", "positive")  # by label
SHARED = 10_000  # combinations of attributes that are kept once for all cases that have them


@dataclass(frozen=True, slots=True)
class LockedCase(CaseRecord):
    """A case as it was locked.

    Attributes:
      sentinel: never to be missed by a model that follows one that got it right.
    """

    sentinel: bool = False

    @classmethod
    def of(cls, case: CaseRecord, *, sentinel: bool = False) -> "LockedCase":
        return cls(
            case.case_id,
            case.patient_id,
            case.label,
            case.bytes_sha256,
            case.pixels_sha256,
            dict(case.attributes),
            sentinel,
        )


_KEYS = {field.name for field in fields(LockedCase)}


class RowReader:
    """Makes cases of rows; equal attributes become one mapping, to keep a million cases small."""

    def __init__(self) -> None:
        self._shared: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def case(self, row: Any) -> LockedCase | None:
        """The case in a row, None where the row is not one."""
        if type(row) is not dict or row.keys() != _KEYS or not is_case_row(row):
            return None
        if type(row["sentinel"]) is not bool:
            return None
        return LockedCase(**{**row, "attributes": self._attributes(row["attributes"])})

    def _attributes(self, found: dict[str, str]) -> dict[str, str]:
        key = tuple(found.items())
        known = self._shared.get(key)
        if known is None:
            known = {sys.intern(name): sys.intern(value) for name, value in key}
            if len(self._shared) < SHARED:
                self._shared[key] = known
        return known
