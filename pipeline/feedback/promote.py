"""Sends settled cases on: into the next training span, or, where missed, up for the case set.

What is written, and in this order: the span under a hidden name, the record of the promotion, the
proposal, the name of the span, the entry of the ledger. Before the span has its name nothing can be
trained on, so a promotion that got no further is taken back; one that did is finished.
"""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.feedback.sides import Settled, Sides
from components.records.clock import time_id, utc_now
from components.records.errors import CasegateError, IntegrityError
from components.records.files import lock_file, sha256_tree, writing_to
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import recorded_name
from pipeline.feedback import writing
from pipeline.feedback.planning import (
    CASE_SET_SIDE,
    TRAINING_SIDE,
    Promotion,
    PromotionPlan,
    Sent,
    find_judging_cases,
    known_on,
    load_promotions,
    make_plan,
    save_promotion,
    unfinished,
)
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.governance.persons import require_text
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class CutShort:
    """Promotions that were interrupted, by id: finished now, taken back now, or still waiting."""

    finished: tuple[str, ...] = ()
    taken_back: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sending:
    """One promotion on its way to disk.

    Attributes:
      earlier: promotions, all of them in the ledger.
      number: of the span; 0 where there is none.
      promotion: without the hash of its span, which is not written yet.
    """

    config: Config
    workspace: Workspace
    plan: PromotionPlan
    earlier: Sequence[Promotion]
    number: int
    promotion: Promotion

    def write(self) -> tuple[Promotion, writing.CaseProposal | None]:
        """Writes everything but the ledger's entry."""
        places, promotion, proposal = FeedbackPlaces(self.workspace.root), self.promotion, None
        hidden = _hidden(promotion, self.workspace)
        try:
            if hidden:
                sha256 = self._write_span(hidden)
                promotion = replace(promotion, body={**promotion.body, "span_sha256": sha256})
            save_promotion(promotion, places.promotions)
            if self.plan.sides.proposed:
                proposal = writing.write_proposal(self.config, places, self.plan, promotion)
                trained = known_on(TRAINING_SIDE, [*self.earlier, promotion])
                writing.check_proposal(proposal, trained)
            if hidden:
                self._name_span(hidden, Path(str(promotion.span)))
        except Exception:
            _take_back(promotion, places, hidden)
            raise
        return promotion, proposal

    def _write_span(self, hidden: Path) -> str:
        writing.clear_leftovers(hidden, self.workspace.root)
        sha256 = writing.write_span(hidden, self.plan, self.promotion)
        self._check(hidden)
        return sha256

    def _name_span(self, hidden: Path, span: Path) -> None:
        writing.rename(hidden, span)
        try:
            self._check(span)
        except CasegateError:
            span.rename(hidden)
            raise

    def _check(self, folder: Path) -> None:
        """Holds the span against the case sets as they are at this moment."""
        proposed = known_on(CASE_SET_SIDE, [*self.earlier, self.promotion])
        forbidden = [find_judging_cases(self.config, self.workspace)[1], proposed]
        writing.check_span(folder, self.number, self.plan.sides.training, forbidden)


def _promotion(
    plan: PromotionPlan, workspace: Workspace, span: Path | None, by: str, reason: str
) -> Promotion:
    body = {
        "span": recorded_name(span, workspace.root) if span else None,
        "span_sha256": None,
        "cases": [case.case_id for case in plan.sides.training],
        "proposed_sentinels": [case.case_id for case in plan.sides.proposed],
        "feedback_head": plan.feedback_head,
        "reason": reason,
    }
    promotion_id = f"{time_id()}-{secrets.token_hex(3)}"
    where = str(span) if span else None
    return Promotion(promotion_id, utc_now(), by, body, where, _sent(plan))


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
    return writing.temporary(Path(promotion.span), workspace.root, promotion.promotion_id)


def _whole(promotion: Promotion, places: FeedbackPlaces) -> bool:
    if promotion.span is None:
        return writing.proposal_paths(places, promotion.promotion_id)[1].exists()
    span = Path(promotion.span)
    try:
        named = promotion.promotion_id.encode() in (span / writing.PROMOTION).read_bytes()
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
    writing.remove_proposal(places, promotion.promotion_id)
    (places.promotions / f"{promotion.promotion_id}.json").unlink(missing_ok=True)


def _sent(plan: PromotionPlan) -> tuple[Sent, ...]:
    def sent(case: Settled, side: str, *, sentinel: bool = False) -> Sent:
        patient, pixels = case.patient_id or "", case.pixels_sha256 or ""
        encoded = case.bytes_sha256 or ""
        return Sent(case.case_id, patient, case.label, pixels, encoded, side, sentinel)

    training = [sent(case, TRAINING_SIDE) for case in plan.sides.training]
    proposed = [sent(case, CASE_SET_SIDE, sentinel=case.missed) for case in plan.sides.proposed]
    return (*training, *proposed)


@dataclass(frozen=True)
class Promoted:
    """What came of it, or would.

    Attributes:
      span: the folder of the new span; None where no case goes there.
      proposal: None where no case is proposed, and where nothing was written.
    """

    plan: PromotionPlan
    span: Path | None
    proposal: writing.CaseProposal | None
    cut_short: CutShort
    dry_run: bool

    @property
    def sides(self) -> Sides:
        return self.plan.sides

    def as_json(self) -> dict[str, Any]:
        return {
            "settled": self.plan.settled,
            "sent_before": self.plan.sent_before,
            "span": str(self.span) if self.span else None,
            **{name: list(cases) for name, cases in asdict(self.sides).items()},
            "proposal": str(self.proposal.folder) if self.proposal else None,
            "next": self.proposal.next if self.proposal else [],
            "cut_short": asdict(self.cut_short),
            "dry_run": self.dry_run,
        }


def preview(
    config: Config, workspace: Workspace, served: ServedCases, images: Path | None
) -> Promoted:
    """What `promote` would do, with its errors; nothing is written."""
    promotions = load_promotions(FeedbackPlaces(workspace.root).promotions)
    waiting = unfinished(promotions, Ledger(workspace.ledger).entries())
    plan = make_plan(config, workspace, served, promotions, images)
    span = writing.next_span(config.data.source)[1] if plan.sides.training else None
    cut_short = CutShort(waiting=tuple(one.promotion_id for one in waiting))
    return Promoted(plan, span, None, cut_short, dry_run=True)


def promote(
    config: Config,
    workspace: Workspace,
    served: ServedCases,
    *,
    by: str,
    reason: str,
    images: Path | None,
) -> Promoted:
    """Promotes every settled case that was not promoted before.

    Args:
      images: a folder to look for images in, besides those that came with an opinion.

    Raises:
      ConfigError: no name or reason, no case set judges, or spans are not folders.
      SourceError: no log, or no span yet.
      IntegrityError: feedback, ledger, case set or an earlier promotion was altered; or what was
        written is not what was meant, or stands in the case set by now. Nothing is promoted then.
      WorkspaceBusy: another promotion is at work.
    """
    by, reason = require_text(by, "--by"), require_text(reason, "--reason")
    root = workspace.root
    ledger = Ledger(workspace.ledger)
    busy = f"{root}: another promotion is at work; wait for it to end and run again"
    then = "; mend that and promote again: what was cut short is finished or taken back"
    with writing_to(root, then, named=True), lock_file(root / "feedback" / ".lock", lambda: busy):
        cut_short = settle_unfinished(workspace, ledger)
        promotions = load_promotions(FeedbackPlaces(root).promotions)
        plan = make_plan(config, workspace, served, promotions, images)
        if plan.empty:
            return Promoted(plan, None, None, cut_short, dry_run=False)
        number, span = 0, None
        if plan.sides.training:
            number, span = writing.next_span(config.data.source)
        promotion = _promotion(plan, workspace, span, by, reason)
        sending = _Sending(config, workspace, plan, promotions, number, promotion)
        promotion, proposal = sending.write()
        ledger.append("promotion", promotion.body, by=by, at=utc_now())
    return Promoted(plan, span, proposal, cut_short, dry_run=False)
