"""Carries out an amendment: a new version of the case set, golden on it, and the ledger's entry.

What is written, and in this order: the old version and the old golden under `history/`, the new
version, the ledger's entry, the new golden. A run refuses a golden that was scored on another
version, so an interruption anywhere leaves nothing that could be judged by; the same amendment,
run again, does what is left.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.diff import Diff, diff_case_sets
from components.baselines.golden import save_golden
from components.baselines.history import archive
from components.baselines.names import GOLDEN
from components.records.clock import utc_now
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from pipeline.governance.amendment_plan import AmendmentPlan, AmendmentRequest, make_plan
from pipeline.governance.golden_record import archive_golden, held
from pipeline.governance.persons import said
from pipeline.settings.baselines import find_case_set
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class Amended:
    """What came of it.

    Attributes:
      resumed: an interrupted amendment was finished; the version is older than this call.
      carried, scored: golden's scores that carried over, and those its model made; None where
        there is no golden.
    """

    path: Path
    before: CaseSet
    after: CaseSet
    diff: Diff
    resumed: bool
    carried: int | None
    scored: int | None


def amend(root: Path, request: AmendmentRequest) -> Amended:
    """Makes the next version of a case set, or finishes one that was interrupted.

    Args:
      root: the workspace's folder: its ledger records the amendment, its models may score.

    Raises:
      ConfigError: the amendment cannot be, is there already, or golden's model is missing.
      IntegrityError: the case set, its history, golden or the ledger was edited.
      WorkspaceBusy: a run, an approval or another amendment is at work.
    """
    request = replace(request, by=said(request.by, "--by"), reason=said(request.reason, "--reason"))
    if bool(request.add) != (request.source is not None):
        raise ConfigError("cases amend: --add and --source go together; give both or neither")
    if request.golden_model is not None and not request.add:
        raise ConfigError("cases amend: --golden-model is needed with --add only; leave it out")
    workspace = Workspace(root.resolve())
    path = find_case_set(request.case_set, workspace).resolve()
    with workspace.opened(), held(path.parent):
        ledger = Ledger(workspace.ledger)
        plan = make_plan(path, request, workspace, ledger.entries())
        _write(plan, ledger)
    diff = diff_case_sets(plan.before, plan.after)
    return Amended(path, plan.before, plan.after, diff, plan.resumed, plan.carried, plan.scored)


def _write(plan: AmendmentPlan, ledger: Ledger) -> None:
    golden = plan.path.parent / GOLDEN
    if not plan.resumed:
        if sha256_file(plan.path) != plan.sha256:
            raise IntegrityError(f"{plan.path}: changed meanwhile; nothing was written: run again")
        archive(plan.path, plan.before)
        if plan.golden is not None:
            archive_golden(golden.parent)
        save_case_set(plan.after, plan.path)
    if plan.body is not None:
        ledger.append("amendment", plan.body, by=plan.after.author, at=utc_now())
    if plan.golden is not None:
        save_golden(plan.golden, golden)
