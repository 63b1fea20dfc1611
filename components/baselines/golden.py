"""Golden: the scores a named person approved, that every later candidate has to hold against.

On a new version of its case set it is the same model at the same operating point, judged anew; only
cases that are new to golden need its model.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.case_set import CaseSet, refuse_duplicates
from components.baselines.scores import (
    CaseScores,
    aligned,
    scores_document,
    scores_from_document,
    sound_finite_row,
)
from components.records.errors import IntegrityError
from components.records.files import sha256_json, write_atomically
from components.records.rows import json_with_rows
from components.records.schema import Rows, read_json
from components.records.text import first_few


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
        return sha256_json(self.header())

    def header(self) -> dict[str, Any]:
        """The JSON form without the rows and the hash."""
        header, _ = scores_document(self.scores)
        return {**header, "approval": self.approval.document()}


def save_golden(what: "Golden | GoldenProposal", path: Path) -> None:
    """Writes golden, or what is proposed as golden, one case per line, atomically.

    Raises:
      IntegrityError: a score or the operating point is not finite, or an id stands twice: no
        baseline may be unable to judge.
    """
    _refuse_unusable(what.scores, path)
    _, rows = scores_document(what.scores)
    hash_key = "golden_sha256" if isinstance(what, Golden) else "proposal_sha256"
    document = {**what.header(), hash_key: getattr(what, hash_key)}
    write_atomically(path, json_with_rows(document, "scores", rows))


def load_golden(path: Path) -> Golden:
    """The golden baseline in `path`, unaltered since it was approved.

    Raises:
      IntegrityError: unreadable, against schemas/golden.json, unusable, or edited.
    """
    document = read_json(path, "golden", rows=Rows("scores", sound_finite_row))
    golden = Golden(_usable(document, path), Approval.from_document(document["approval"]))
    if golden.golden_sha256 != document["golden_sha256"]:
        raise IntegrityError(
            f"{path}: the approval or the header was edited: it does not match golden_sha256; "
            "restore the file from version control, or approve anew"
        )
    return golden


def _usable(document: dict[str, Any], path: Path) -> CaseScores:
    scores = scores_from_document(document, where=str(path))
    _refuse_unusable(scores, path)
    return scores


def _refuse_unusable(scores: CaseScores, path: Path) -> None:
    """Raises IntegrityError for scores that no candidate can be compared with."""
    refuse_duplicates(scores.case_ids, where=str(path))
    if not np.isfinite([*scores.scores, scores.operating_point]).all():
        raise IntegrityError(f"{path}: got a score or operating point that is not finite")


@dataclass(frozen=True, eq=False)
class GoldenProposal:
    """Scores that wait for a named person's approval as golden; nothing is judged by them.

    Attributes:
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
        return sha256_json(self.header())

    def header(self) -> dict[str, Any]:
        """The JSON form without the rows and the hash."""
        header, _ = scores_document(self.scores)
        proposed = {key: value for key, value in vars(self).items() if key != "scores"}
        return {**header, "proposal": {**proposed, "waived": list(self.waived)}}


def load_proposal(path: Path) -> GoldenProposal:
    """The proposal in `path`; IntegrityError where unreadable, malformed, unusable or edited."""
    document = read_json(path, "golden_proposal")
    proposed = {**document["proposal"], "waived": tuple(document["proposal"]["waived"])}
    proposal = GoldenProposal(_usable(document, path), **proposed)
    if proposal.proposal_sha256 != document["proposal_sha256"]:
        raise IntegrityError(
            f"{path}: the proposal was edited: it does not match proposal_sha256; remove it and "
            "propose anew"
        )
    return proposal


def unscored(before: CaseSet, after: CaseSet) -> tuple[str, ...]:
    """The cases of `after`, in order, that a model which scored `before` has to score still.

    The score of an image that did not change carries over; labels and marks are no part of it.
    """
    pixels = {case.case_id: case.pixels_sha256 for case in before.cases}
    return tuple(
        case.case_id for case in after.cases if pixels.get(case.case_id) != case.pixels_sha256
    )


def rescored_scores(
    scores: CaseScores, before: CaseSet, after: CaseSet, new: Mapping[str, float]
) -> CaseScores:
    """The scores for `after` of a model that scored `before`.

    Args:
      new: the model's score of each of `unscored(before, after)`, by id.

    Raises:
      IntegrityError: other cases were scored than those of `before`, or `new` lacks one or holds
        one that is not finite.
    """
    old = aligned(scores, before, who="golden")
    missing = set(unscored(before, after))
    if absent := missing - new.keys():
        raise IntegrityError(f"golden: no score for {first_few(absent)}")
    if broken := [name for name in missing if not np.isfinite(new[name])]:
        raise IntegrityError(f"golden: its model's score is not finite: {first_few(broken)}")
    carried = {case.case_id: score for case, score in zip(before.cases, old)}
    ids = tuple(case.case_id for case in after.cases)
    return replace(
        scores,
        case_ids=ids,
        scores=np.array([new[name] if name in missing else carried[name] for name in ids]),
        scored_case_set=after.merkle_root,
    )


def rescored_golden(
    golden: Golden, before: CaseSet, after: CaseSet, new: Mapping[str, float]
) -> Golden:
    """Golden for `after`; its approval stands, and names the amendment that carried it over.

    Raises:
      IntegrityError: as `rescored_scores`.
    """
    roots = before.merkle_root, after.merkle_root
    step = Rescoring(*roots, by=after.author, reason=after.reason, date=after.date)
    approval = replace(golden.approval, rescored=(*golden.approval.rescored, step))
    return Golden(rescored_scores(golden.scores, before, after, new), approval)
