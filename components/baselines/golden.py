"""Golden: the scores a named person approved, that every later candidate has to hold against."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.case_set import refuse_duplicates
from components.baselines.files import sha256_json, write_atomically
from components.baselines.rows import json_with_rows
from components.baselines.schema import read_json
from components.baselines.scores import CaseScores, scores_document, scores_from_document
from components.errors import IntegrityError


@dataclass(frozen=True)
class Approval:
    """Who approved, why and when (ISO 8601), and on which decision (hex), None for a bootstrap
    without one."""

    by: str
    reason: str
    date: str
    decision_sha256: str | None = None


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
        return {**header, "approval": asdict(self.approval)}


def save_golden(golden: Golden, path: Path) -> None:
    """Writes golden, one case per line, atomically.

    Raises:
      IntegrityError: a score or the operating point is not finite, or an id stands twice: no
        baseline may be unable to judge.
    """
    _refuse_unusable(golden.scores, where=str(path))
    header, rows = scores_document(golden.scores)
    document = {
        **header,
        "approval": asdict(golden.approval),
        "golden_sha256": golden.golden_sha256,
    }
    write_atomically(path, json_with_rows(document, "scores", rows))


def load_golden(path: Path) -> Golden:
    """The golden baseline in `path`, unaltered since it was approved.

    Raises:
      IntegrityError: unreadable, against schemas/golden.json, unusable, or edited.
    """
    document = read_json(path, "golden")
    scores = scores_from_document(document, where=str(path))
    _refuse_unusable(scores, where=str(path))
    golden = Golden(scores, Approval(**document["approval"]))
    if golden.golden_sha256 != document["golden_sha256"]:
        raise IntegrityError(
            f"{path}: the approval or the header was edited: it does not match golden_sha256; "
            "restore the file from version control, or approve anew"
        )
    return golden


def _refuse_unusable(scores: CaseScores, *, where: str) -> None:
    refuse_duplicates(scores.case_ids, where=where)
    if not np.isfinite([*scores.scores, scores.operating_point]).all():
        raise IntegrityError(f"{where}: got a score or operating point that is not finite")
