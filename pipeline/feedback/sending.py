"""Writes a promotion so that no run sees half of it, and settles one that was cut short.

What is written, and in this order: the span under a hidden name, the record of the promotion, the
proposal, the span's name, the ledger's entry. Before the span has its name nothing can be trained
on, so a promotion that got no further is taken back; one that did is finished.
"""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records.clock import time_id, utc_now
from components.records.errors import CasegateError, IntegrityError
from components.records.files import canonical_json, sha256_tree
from components.records.ledger.ledger import Ledger
from components.records.ledger.places import recorded_name
from pipeline.feedback.known import judging
from pipeline.feedback.new_span import (
    PROMOTION,
    check_span,
    clear_leftovers,
    next_span,
    rename,
    temporary,
    write_span,
)
from pipeline.feedback.places import FeedbackPlaces
from pipeline.feedback.planning import PromotionPlan
from pipeline.feedback.promotion import (
    CASE_SET,
    TRAINING,
    Promotion,
    Sent,
    forget_promotion,
    known_on,
    load_promotions,
    save_promotion,
    unfinished,
)
from pipeline.feedback.proposal import (
    CaseProposal,
    check_proposal,
    proposal_paths,
    remove_proposal,
    write_proposal,
)
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class PromotionRequest:
    """Who promotes, and why."""

    by: str
    reason: str


@dataclass(frozen=True)
class CutShort:
    """Promotions that were interrupted, by id: finished now, taken back now, or still waiting."""

    finished: tuple[str, ...] = ()
    taken_back: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def send(
    config: Config,
    workspace: Workspace,
    ledger: Ledger,
    plan: PromotionPlan,
    promotions: Sequence[Promotion],
    request: PromotionRequest,
) -> tuple[Path | None, CaseProposal | None]:
    """Writes what was planned: the span's folder and the proposal, None where there is none.

    Raises:
      IntegrityError: what was written is not what was meant, or stands in the case set by now;
        nothing is promoted then.
    """
    if plan.empty:
        return None, None
    number, span = next_span(config.data.source) if plan.sides.training else (0, None)
    promotion_id = f"{time_id()}-{secrets.token_hex(3)}"
    sending = _Sending(config, workspace, plan, promotions, request, promotion_id, number, span)
    body, proposal = sending.write()
    ledger.append("promotion", body, by=request.by, at=utc_now())
    return span, proposal


@dataclass(frozen=True)
class _Sending:
    """One promotion on its way to disk.

    Attributes:
      number, span: of the span's folder; 0 and None where there is none.
    """

    config: Config
    workspace: Workspace
    plan: PromotionPlan
    promotions: Sequence[Promotion]
    request: PromotionRequest
    promotion_id: str
    number: int
    span: Path | None

    def write(self) -> tuple[dict[str, Any], CaseProposal | None]:
        """Writes everything but the ledger's entry, and returns that one's body."""
        places = FeedbackPlaces(self.workspace.root)
        said = {"at": utc_now(), "by": self.request.by, "reason": self.request.reason}
        promotion = self._promotion(said["at"], None)
        hidden = _hidden(promotion, self.workspace)
        try:
            sha256 = self._write_span(hidden, said) if hidden else None
            promotion = self._promotion(said["at"], sha256)
            save_promotion(promotion, places.promotions)
            proposal = None
            if self.plan.sides.proposed:
                proposal = write_proposal(self.config, places, self.plan, self.promotion_id, said)
                check_proposal(proposal, known_on(TRAINING, [*self.promotions, promotion]))
            if hidden:
                self._name_span(hidden)
        except Exception:
            _take_back(promotion, places, hidden)
            raise
        return promotion.body, proposal

    def _write_span(self, hidden: Path, said: Mapping[str, str]) -> str:
        clear_leftovers(hidden, self.workspace.root)
        document = {"promotion_id": self.promotion_id, **said}
        sha256 = write_span(hidden, self.plan, canonical_json(document) + b"\n")
        self._check(hidden)
        return sha256

    def _name_span(self, hidden: Path) -> None:
        assert self.span is not None
        rename(hidden, self.span)
        try:
            self._check(self.span)
        except CasegateError:
            self.span.rename(hidden)
            raise

    def _check(self, folder: Path) -> None:
        """Holds the span against the case sets as they are at this moment."""
        proposed = known_on(CASE_SET, [*self.promotions, self._promotion("", None)])
        forbidden = [judging(self.config, self.workspace).known, proposed]
        check_span(folder, self.number, self.plan.sides.training, forbidden)

    def _promotion(self, at: str, sha256: str | None) -> Promotion:
        plan, span = self.plan, self.span
        body = {
            "span": recorded_name(span, self.workspace.root) if span else None,
            "span_sha256": sha256,
            "cases": [case.case_id for case in plan.sides.training],
            "proposed_sentinels": [case.case_id for case in plan.sides.proposed],
            "feedback_head": plan.feedback_head,
            "reason": self.request.reason,
        }
        where = str(span) if span else None
        return Promotion(self.promotion_id, at, self.request.by, body, where, _sent(plan))


def settle_unfinished(workspace: Workspace, ledger: Ledger) -> CutShort:
    """Finishes or takes back what an interrupted promotion left.

    Raises:
      IntegrityError: a span that waits for its ledger entry was altered.
    """
    places = FeedbackPlaces(workspace.root)
    finished, taken_back = [], []
    for promotion in unfinished(load_promotions(places.promotions), ledger.entries()):
        if _whole(promotion, places):
            ledger.append("promotion", promotion.body, by=promotion.by, at=utc_now())
            finished.append(promotion.promotion_id)
        else:
            _take_back(promotion, places, _hidden(promotion, workspace))
            taken_back.append(promotion.promotion_id)
    return CutShort(tuple(finished), tuple(taken_back))


def _hidden(promotion: Promotion, workspace: Workspace) -> Path | None:
    """Where the span is until it has its name."""
    if promotion.span is None:
        return None
    return temporary(Path(promotion.span), workspace.root, promotion.promotion_id)


def _whole(promotion: Promotion, places: FeedbackPlaces) -> bool:
    """Whether all that was to be written is there."""
    if promotion.span is None:
        return proposal_paths(places, promotion.promotion_id)[1].exists()
    span = Path(promotion.span)
    try:
        named = promotion.promotion_id.encode() in (span / PROMOTION).read_bytes()
    except OSError:
        named = False
    if named and sha256_tree(span) != promotion.body["span_sha256"]:
        raise IntegrityError(
            f"{span}: was altered before its promotion was recorded; remove that folder, and "
            "promote again"
        )
    return named


def _take_back(promotion: Promotion, places: FeedbackPlaces, hidden: Path | None) -> None:
    """The record last: as long as it is there, this is done again."""
    if hidden is not None:
        shutil.rmtree(hidden, ignore_errors=True)
    remove_proposal(places, promotion.promotion_id)
    forget_promotion(promotion, places.promotions)


def _sent(plan: PromotionPlan) -> tuple[Sent, ...]:
    sides = ((TRAINING, plan.sides.training), (CASE_SET, plan.sides.proposed))
    return tuple(
        Sent(
            case_id=case.case_id,
            patient_id=case.patient_id or "",
            label=case.label,
            pixels_sha256=case.pixels_sha256 or "",
            bytes_sha256=case.bytes_sha256 or "",
            side=side,
            sentinel=side == CASE_SET and case.missed,
        )
        for side, cases in sides
        for case in cases
    )
