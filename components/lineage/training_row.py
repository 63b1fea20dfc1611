"""One training or tuning case as the manifest keeps it: its values, its line, its strict reading.

The line is canonical JSON, so that one case has one spelling and one leaf in the Merkle tree.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from components.baselines.locked_case import canonical_row
from components.records.errors import IntegrityError

_is_sha256 = re.compile("[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A case that a model was trained or tuned on.

    Attributes:
      split: train or tune.
      label: 1 positive, 0 negative.
      bytes_sha256, pixels_sha256: hex; of the encoded file, and of the decoded samples.
    """

    split: str
    case_id: str
    patient_id: str
    label: int
    bytes_sha256: str
    pixels_sha256: str
    attributes: Mapping[str, str]

    @property
    def order(self) -> tuple[str, str]:
        """Where it stands in a manifest: by picture, which is what a proof is asked about."""
        return self.pixels_sha256, self.case_id

    def line(self) -> bytes:
        """Its canonical JSON, without a line feed.

        Raises:
          IntegrityError: text that is not Unicode, such as half of a surrogate pair.
        """
        row = {name: getattr(self, name) for name in FIELDS}
        row["attributes"] = dict(self.attributes)
        try:
            return canonical_row(row)
        except TypeError as error:
            raise IntegrityError(
                f"case {self.case_id!a}: got text that is not Unicode ({error})"
            ) from None


FIELDS = tuple(TrainingRow.__annotations__)
_KEYS = set(FIELDS)


def parse_row(line: bytes) -> TrainingRow | None:
    """The row a line spells; None where it is none. Whether it is canonical its hash says."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return TrainingRow(**row) if _is_row(row) else None


def _is_row(row: Any) -> bool:
    if type(row) is not dict or row.keys() != _KEYS:
        return False
    attributes = row["attributes"]
    return (
        all(type(row[name]) is str and row[name] for name in ("split", "case_id", "patient_id"))
        and type(row["label"]) is int
        and 0 <= row["label"] <= 1
        and all(_is_hash(row[name]) for name in ("bytes_sha256", "pixels_sha256"))
        and type(attributes) is dict
        and all(type(value) is str for value in attributes.values())
    )


def _is_hash(value: Any) -> bool:
    return type(value) is str and _is_sha256(value) is not None
