"""Golden: the scores a named person approved, that every later candidate has to hold against."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.case_set import refuse_duplicates
from components.baselines.scores import (
    CaseScores,
    scores_document,
    scores_from_document,
    sound_finite_row,
)
from components.records.errors import IntegrityError
from components.records.files import sha256_json, write_atomically
from components.records.rows import json_with_rows
from components.records.schema import Rows, read_json


@dataclass(frozen=True)
class Rescoring:
    """The approved model scored anew, because the case set was amended; no other model.

    Attributes:
      from_case_set, to_case_set: Merkle roots (hex).
      by, reason, date: of the amendment; ISO 8601.
    """

    from_case_set: str
    to_case_set: str
    by: str
    reason: str
    date: str


@dataclass(frozen=True)
class Approval:
    """Who approved, why and when (ISO 8601).

    Attributes:
      decision_sha256: hex, of the decision it rests on; None for a bootstrap without one.
      rescored: what the scores went through since, oldest first.
    """

    by: str
    reason: str
    date: str
    decision_sha256: str | None = None
    rescored: tuple[Rescoring, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON form; without `rescored` where that is empty, as it was before it existed."""
        document = asdict(self)
        if not self.rescored:
            del document["rescored"]
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Approval":
        rescored = tuple(Rescoring(**row) for row in document.get("rescored", ()))
        return cls(**{**document, "rescored": rescored})


@dataclass(frozen=True, eq=False)
class Golden:
    scores: CaseScores
    approval: Approval

    @property
    def golden_sha256(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the approval and everything about the scores."""
        return sha256_json(self._header())

    def _header(self) -> dict[str, Any]:
        header, _ = scores_document(self.scores)
        return {**header, "approval": self.approval.document()}


def save_golden(golden: Golden, path: Path) -> None:
    """Writes golden, one case per line, atomically.

    Raises:
      IntegrityError: a score or the operating point is not finite, or an id stands twice: no
        baseline may be unable to judge.
    """
    refuse_unusable(golden.scores, where=str(path))
    header, rows = scores_document(golden.scores)
    document = {
        **header,
        "approval": golden.approval.document(),
        "golden_sha256": golden.golden_sha256,
    }
    write_atomically(path, json_with_rows(document, "scores", rows))


def load_golden(path: Path) -> Golden:
    """The golden baseline in `path`, unaltered since it was approved.

    Raises:
      IntegrityError: unreadable, against schemas/golden.json, unusable, or edited.
    """
    document = read_json(path, "golden", rows=Rows("scores", sound_finite_row))
    scores = scores_from_document(document, where=str(path))
    refuse_unusable(scores, where=str(path))
    golden = Golden(scores, Approval.from_document(document["approval"]))
    if golden.golden_sha256 != document["golden_sha256"]:
        raise IntegrityError(
            f"{path}: the approval or the header was edited: it does not match golden_sha256; "
            "restore the file from version control, or approve anew"
        )
    return golden


def refuse_unusable(scores: CaseScores, *, where: str) -> None:
    """Raises IntegrityError for scores that no candidate can be compared with."""
    refuse_duplicates(scores.case_ids, where=where)
    if not np.isfinite([*scores.scores, scores.operating_point]).all():
        raise IntegrityError(f"{where}: got a score or operating point that is not finite")
