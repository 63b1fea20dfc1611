"""Golden scores move only by a named person's approval: the first ones, and every later ones."""

import getpass
from dataclasses import dataclass
from pathlib import Path

from components.baselines.golden import (
    Approval,
    Golden,
    GoldenProposal,
    load_proposal,
    save_golden,
)
from components.baselines.names import GOLDEN
from components.decision import Decision, Verdict
from components.records.clock import utc_now
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import recorded_name
from pipeline.governance.act import GovernedAct, governed_act
from pipeline.governance.decided import DecidedRun, find_run, known_baselines
from pipeline.governance.golden_record import (
    PROPOSAL,
    archive_golden,
    finish,
    golden_of,
    hold_baseline,
    put_in_place,
)
from pipeline.governance.persons import require_text
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class Approved:
    """Attributes:
    finished: an earlier approval, cut short, was carried out, and no other.
    """

    path: Path
    golden: Golden
    finished: bool = False


def bootstrap_golden(root: Path, *, run_id: str | None, by: str, reason: str) -> Approved:
    """Approves a run's candidate as the first golden of its baseline.

    Args:
      run_id: the run whose candidate is approved; None takes the newest with a decision.

    Raises:
      ConfigError: no such run, nobody named, or its candidate failed a floor.
      IntegrityError: golden scores exist already, or should exist.
    """
    with governed_act(root, by=by, reason=reason) as act:
        run = find_run(act.workspace, run_id, act.entries)
        baseline = run.baseline()
        with hold_baseline(baseline):
            path = baseline / GOLDEN
            if golden := finish(act.workspace, baseline, act.entries):
                return Approved(path, golden, finished=True)
            if path.exists():
                raise IntegrityError(f"{path}: golden scores exist already; they move by approval")
            _refuse_failed(run.decision, run.run_id)
            return _approve(act, run, baseline, proposed_by=None)


def propose_golden(
    root: Path, *, run_id: str, by: str | None = None
) -> tuple[Path, GoldenProposal]:
    """Puts a run's candidate up for approval; golden stays what it is.

    Args:
      by: who proposes; None takes the login name.

    Returns:
      The proposal and its path. It takes the place of one that was there.

    Raises:
      ConfigError: no such run, it did not pass, it was judged against another golden than the one
        there is now, or its model is golden already.
      IntegrityError: decision, scores, case set, golden or ledger were altered.
    """
    by = require_text(by if by is not None else getpass.getuser(), "--by")
    workspace = Workspace(root.resolve())
    with workspace.opened():
        entries = Ledger(workspace.ledger).entries()
        run = find_run(workspace, run_id, entries)
        baseline = run.baseline()
        with hold_baseline(baseline):
            finish(workspace, baseline, entries)
            _refuse_unapprovable(run, baseline)
            waived = tuple(check.check for check in run.decision.checks if check.waived)
            proposal = GoldenProposal(
                run.scores(), by, utc_now(), run.run_id, run.decision.decision_sha256, waived
            )
            save_golden(proposal, baseline / PROPOSAL)
    return baseline / PROPOSAL, proposal


def approve_golden(root: Path, *, by: str, reason: str) -> Approved:
    """Makes the pending proposal golden.

    Everything that the proposal was checked for is checked again: days may lie between.

    Raises:
      ConfigError: nobody named, no proposal or several, or as `propose_golden`.
      IntegrityError: as `propose_golden`.
    """
    with governed_act(root, by=by, reason=reason) as act:
        folders = known_baselines(act.workspace)
        for folder in folders:
            with hold_baseline(folder):
                if golden := finish(act.workspace, folder, act.entries):
                    return Approved(folder / GOLDEN, golden, finished=True)
        baseline = _only_one_proposed(folders, act.workspace)
        with hold_baseline(baseline):
            proposal = load_proposal(baseline / PROPOSAL)
            run = find_run(act.workspace, proposal.run_id, act.entries)
            _refuse_altered(proposal, run, baseline)
            _refuse_unapprovable(run, baseline)
            return _approve(act, run, baseline, proposed_by=proposal.by)


def _approve(
    act: GovernedAct, run: DecidedRun, baseline: Path, *, proposed_by: str | None
) -> Approved:
    """History, ledger, golden; in the order that golden_record.py explains."""
    before = golden_of(baseline)
    scores, at = run.scores(), utc_now()
    golden = Golden(scores, Approval(act.by, act.reason, at, run.decision.decision_sha256))
    if before:
        archive_golden(baseline)
    body = {
        "baseline": recorded_name(baseline, act.workspace.root),
        "from_golden_sha256": before.golden_sha256 if before else None,
        "to_golden_sha256": golden.golden_sha256,
        "decision_sha256": run.decision.decision_sha256,
        "run_id": run.run_id,
        "model_sha256": scores.model_sha256,
        "scores_sha256": scores.scores_sha256,
        "case_set_root": scores.scored_case_set,
        "proposed_by": proposed_by,
    }
    act.record("approval", body, at=at)
    put_in_place(golden, baseline)
    return Approved(baseline / GOLDEN, golden)


def _only_one_proposed(folders: list[Path], workspace: Workspace) -> Path:
    proposed = [folder for folder in folders if (folder / PROPOSAL).exists()]
    if not proposed:
        raise ConfigError(
            f"{workspace.root}: nothing is proposed; first `casegate baseline propose --run ID`"
        )
    if len(proposed) > 1:
        raise ConfigError(
            f"several proposals are pending: {', '.join(str(folder) for folder in proposed)}; "
            f"remove the {PROPOSAL} that is not meant"
        )
    return proposed[0]


def _refuse_altered(proposal: GoldenProposal, run: DecidedRun, baseline: Path) -> None:
    """A proposal is a file that anybody may write: it has to be what its run says."""
    same = (
        proposal.decision_sha256 == run.decision.decision_sha256
        and proposal.scores.scores_sha256 == run.decision.hashes["candidate_scores"]
        and run.baseline() == baseline
    )
    if not same:
        raise IntegrityError(
            f"{baseline / PROPOSAL}: is not what run {run.run_id} came to; propose it anew"
        )


def _refuse_unapprovable(run: DecidedRun, baseline: Path) -> None:
    decision, golden = run.decision, golden_of(baseline)
    if decision.verdict is not Verdict.PASS:
        blocking = ", ".join(check.check for check in decision.checks if check.open)
        raise ConfigError(
            f"run {run.run_id}: its verdict is {decision.verdict.value} ({blocking}); only what "
            "passed can become golden"
        )
    path = baseline / GOLDEN
    if golden is None:
        raise ConfigError(f"{path}: there is no golden yet; first `casegate baseline bootstrap`")
    if decision.hashes["candidate_scores"] == golden.scores.scores_sha256:
        raise ConfigError(f"run {run.run_id}: its candidate is golden already")
    if decision.hashes["golden_scores"] != golden.scores.scores_sha256:
        raise ConfigError(
            f"run {run.run_id}: was judged against another golden than the one that {path} holds "
            "now; run again and take that run"
        )


def _refuse_failed(decision: Decision, run_id: str) -> None:
    failed = [c.check for c in decision.checks if c.open and c.verdict is Verdict.FAIL]
    if failed:
        raise ConfigError(
            f"{run_id}: its candidate failed {', '.join(failed)}; a failed candidate cannot "
            "become golden: improve the model, or change the policy with a rationale"
        )
