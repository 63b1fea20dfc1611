"""Scores that wait for a named person's approval as golden; nothing is judged by them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.golden import refuse_unusable
from components.baselines.scores import CaseScores, scores_document, scores_from_document
from components.records.errors import IntegrityError
from components.records.files import sha256_json, write_atomically
from components.records.rows import json_with_rows
from components.records.schema import read_json


@dataclass(frozen=True, eq=False)
class GoldenProposal:
    """Attributes:
    by, date: who proposed, and when (ISO 8601).
    run_id, decision_sha256: the run whose candidate it is, and what was decided of it.
    waived: checks that a waiver let through in that decision.
    """

    scores: CaseScores
    by: str
    date: str
    run_id: str
    decision_sha256: str
    waived: tuple[str, ...]

    @property
    def proposal_sha256(self) -> str:
        """SHA-256 (hex) over the canonical JSON of everything but the rows of scores."""
        return sha256_json(self._header())

    def document(self) -> dict[str, Any]:
        """The JSON form without the rows."""
        return {**self._header(), "proposal_sha256": self.proposal_sha256}

    def _header(self) -> dict[str, Any]:
        header, _ = scores_document(self.scores)
        said = {key: value for key, value in vars(self).items() if key != "scores"}
        return {**header, "proposal": {**said, "waived": list(self.waived)}}


def save_proposal(proposal: GoldenProposal, path: Path) -> None:
    """Writes a proposal, one case per line, atomically.

    Raises:
      IntegrityError: its scores could not judge.
    """
    refuse_unusable(proposal.scores, where=str(path))
    _, rows = scores_document(proposal.scores)
    write_atomically(path, json_with_rows(proposal.document(), "scores", rows))


def load_proposal(path: Path) -> GoldenProposal:
    """The proposal in `path`; IntegrityError where unreadable, malformed, unusable or edited."""
    document = read_json(path, "golden_proposal")
    scores = scores_from_document(document, where=str(path))
    refuse_unusable(scores, where=str(path))
    said = document["proposal"]
    proposal = GoldenProposal(scores, **{**said, "waived": tuple(said["waived"])})
    if proposal.proposal_sha256 != document["proposal_sha256"]:
        raise IntegrityError(
            f"{path}: the proposal was edited: it does not match proposal_sha256; remove it and "
            "propose anew"
        )
    return proposal
