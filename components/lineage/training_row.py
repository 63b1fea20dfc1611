"""One training or tuning case as the manifest keeps it.

The line is canonical JSON, so that one case has one spelling and one leaf in the Merkle tree.
"""

from dataclasses import dataclass, field, fields

import orjson

from components.records.case_record import CaseRecord, is_case_row


@dataclass(frozen=True, slots=True)
class TrainingRow(CaseRecord):
    """A case that a model was trained or tuned on.

    Attributes:
      split: train or tune.
    """

    split: str = field(kw_only=True)

    @property
    def order(self) -> tuple[str, str]:
        """Where it stands in a manifest: by picture, which is what a proof is asked about."""
        return self.pixels_sha256, self.case_id


_KEYS = {field.name for field in fields(TrainingRow)}


def parse_row(line: bytes) -> TrainingRow | None:
    """The row a line spells; None where it is none. Whether it is canonical its hash says."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if type(row) is not dict or row.keys() != _KEYS or not is_case_row(row):
        return None
    return TrainingRow(**row) if type(row["split"]) is str and row["split"] else None
