"""Sends settled cases on: into the next training span, or, where missed, up for the case set."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from components.feedback.sides import Sides
from components.records.errors import ConfigError, WorkspaceBusy
from components.records.ledger.ledger import Ledger
from pipeline.feedback.new_span import next_span
from pipeline.feedback.places import FeedbackPlaces
from pipeline.feedback.planning import PromotionPlan, make_plan
from pipeline.feedback.promotion import load_promotions, unfinished
from pipeline.feedback.proposal import CaseProposal
from pipeline.feedback.sending import CutShort, PromotionRequest, send, settle_unfinished
from pipeline.feedback.served import ServedCases
from pipeline.governance.persons import said
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class Promoted:
    """What came of it, or would.

    Attributes:
      span: the folder of the new span; None where no case goes there.
      proposal: None where no case is proposed, and where nothing was written.
      cut_short: what became of earlier promotions that were.
      dry_run: nothing was written.
    """

    sides: Sides
    settled: int
    sent_before: int
    span: Path | None
    proposal: CaseProposal | None
    cut_short: CutShort
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "settled": self.settled,
            "sent_before": self.sent_before,
            "span": str(self.span) if self.span else None,
            "training": [asdict(case) for case in self.sides.training],
            "proposed": [asdict(case) for case in self.sides.proposed],
            "left_out": [asdict(case) for case in self.sides.left_out],
            "proposal": str(self.proposal.folder) if self.proposal else None,
            "next": list(self.proposal.next) if self.proposal else [],
            "cut_short": asdict(self.cut_short),
            "dry_run": self.dry_run,
        }


def preview(
    config: Config, workspace: Workspace, served: ServedCases, images: Path | None
) -> Promoted:
    """What `promote` would do; nothing is written.

    Raises:
      As `promote`.
    """
    promotions = load_promotions(FeedbackPlaces(workspace.root).promotions)
    waiting = unfinished(promotions, Ledger(workspace.ledger).entries())
    plan = make_plan(config, workspace, served, promotions, images)
    span = next_span(config.data.source)[1] if plan.sides.training else None
    cut_short = CutShort(waiting=tuple(one.promotion_id for one in waiting))
    return _promoted(plan, span, None, cut_short, dry_run=True)


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
      IntegrityError: feedback, ledger, case set or an earlier promotion was altered.
      WorkspaceBusy: another promotion is at work.
    """
    request = PromotionRequest(said(by, "--by"), said(reason, "--reason"))
    places, ledger = FeedbackPlaces(workspace.root), Ledger(workspace.ledger)
    with _held(places):
        cut_short = settle_unfinished(workspace, ledger)
        promotions = load_promotions(places.promotions)
        plan = make_plan(config, workspace, served, promotions, images)
        span, proposal = send(config, workspace, ledger, plan, promotions, request)
    return _promoted(plan, span, proposal, cut_short, dry_run=False)


def _promoted(
    plan: PromotionPlan,
    span: Path | None,
    proposal: CaseProposal | None,
    cut_short: CutShort,
    *,
    dry_run: bool,
) -> Promoted:
    return Promoted(
        sides=plan.sides,
        settled=plan.settled,
        sent_before=plan.sent_before,
        span=span,
        proposal=proposal,
        cut_short=cut_short,
        dry_run=dry_run,
    )


@contextmanager
def _held(places: FeedbackPlaces) -> Iterator[None]:
    """One promotion at a time; the lock goes with the process, even if killed."""
    try:
        places.lock.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(places.lock, timeout=0):
            yield
    except filelock.Timeout:
        raise WorkspaceBusy(
            f"{places.workspace}: another promotion is at work; wait for it to end and run again"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{error.filename or places.workspace}: cannot be written: {error.strerror}; mend that "
            "and promote again: what was cut short is finished or taken back"
        ) from error
