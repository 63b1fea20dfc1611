"""One case as it was locked: its value, its canonical bytes, and the strict reading of its row.

A case set may hold a million cases, so a row is held against schemas/case_set.json by a few
comparisons; only one that fails them is shown to jsonschema, which finds the words.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from components.records.errors import IntegrityError

LABELS = ("negative", "positive")  # by label
SHARED = 10_000  # combinations of attributes that are kept once for all cases that have them

_is_sha256 = re.compile("[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True)
class LockedCase:
    """A case as it was locked.

    Attributes:
      label: 1 positive, 0 negative.
      bytes_sha256, pixels_sha256: hex; of the encoded file, and of the decoded samples.
      attributes: what to slice by; cases with the same may share one mapping.
      sentinel: never to be missed by a model that follows one that got it right.
    """

    case_id: str
    patient_id: str
    label: int
    bytes_sha256: str
    pixels_sha256: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    sentinel: bool = False


_KEYS = frozenset(field.name for field in fields(LockedCase))


def canonical_case(case: LockedCase) -> bytes:
    """The canonical JSON of a case: its line in the file, and its leaf of the Merkle tree.

    Raises:
      IntegrityError: text that is not Unicode, such as half of a surrogate pair.
    """
    row = {
        "attributes": dict(case.attributes),
        "bytes_sha256": case.bytes_sha256,
        "case_id": case.case_id,
        "label": case.label,
        "patient_id": case.patient_id,
        "pixels_sha256": case.pixels_sha256,
        "sentinel": case.sentinel,
    }
    try:
        return canonical_row(row)
    except TypeError as error:
        raise IntegrityError(
            f"case {case.case_id!a}: got text that is not Unicode ({error})"
        ) from None


def canonical_row(row: Any) -> bytes:
    """As `canonical_json`, for rows without floating-point numbers, ten times as fast."""
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


class RowReader:
    """Makes cases of rows; equal attributes become one mapping, to keep a million cases small."""

    def __init__(self) -> None:
        self._shared: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def case(self, row: Any) -> LockedCase | None:
        """The case in a row, None where the row is not one."""
        if not _is_case(row):
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


def _is_case(row: Any) -> bool:
    if type(row) is not dict or row.keys() != _KEYS:
        return False
    attributes, label = row["attributes"], row["label"]
    return (
        _is_name(row["case_id"])
        and _is_name(row["patient_id"])
        and type(label) is int
        and 0 <= label <= 1
        and type(row["sentinel"]) is bool
        and _is_hash(row["bytes_sha256"])
        and _is_hash(row["pixels_sha256"])
        and type(attributes) is dict
        and all(type(value) is str for value in attributes.values())
    )


def _is_name(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_hash(value: Any) -> bool:
    return type(value) is str and _is_sha256(value) is not None
