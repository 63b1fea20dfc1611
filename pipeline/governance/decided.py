"""A finished run as evidence: its decision, its scores and its baseline, each checked by hash.

Whatever a person approves or waives rests on these files, and anybody may have edited them since.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import load_case_set
from components.baselines.names import CASE_SET
from components.baselines.scores import CaseScores, load_scores
from components.decision import Decision, load_decision
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.ledger import Entry
from components.records.run_files import DECISION, REQUEST, SCORES
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class DecidedRun:
    """Attributes:
    folder: `runs/RUN_ID` in the workspace.
    """

    folder: Path
    decision: Decision

    @property
    def run_id(self) -> str:
        return self.folder.name

    def scores(self) -> CaseScores:
        """The candidate's scores; IntegrityError unless they are those that were decided on."""
        scores = load_scores(self.folder / SCORES)
        if scores.scores_sha256 != self.decision.hashes["candidate_scores"]:
            raise IntegrityError(f"{self.folder / SCORES}: not the scores that were decided on")
        return scores

    def baseline(self) -> Path:
        """The folder that judged; its case set is still the one that was judged on.

        Where the folder is stands in the run's request, which no hash covers. So what is in the
        folder has to prove that it is the right one.

        Raises:
          IntegrityError: it holds another case set than the decision names.
        """
        folder = baseline_named_by(self.folder)
        case_set = load_case_set(folder / CASE_SET)
        wanted = self.decision.hashes["case_set"]
        if case_set.merkle_root != wanted:
            raise IntegrityError(
                f"{folder / CASE_SET}: has root {case_set.merkle_root[:12]}..., run {self.run_id} "
                f"was decided on {str(wanted)[:12]}...: the case set was amended since, or the "
                "run's request was altered; run again and take that run"
            )
        return folder


def find_run(workspace: Workspace, run_id: str | None, entries: Iterable[Entry]) -> DecidedRun:
    """The run with this id, or the newest one with a decision for None.

    Args:
      entries: the ledger's; a decision that they record has to be the one in the folder.

    Raises:
      ConfigError: no such run.
      IntegrityError: its decision was edited or belongs to another run.
    """
    folder = _decided_folder(workspace, run_id)
    decision = load_decision(folder / DECISION)
    if decision.run_id != folder.name:
        raise IntegrityError(f"{folder / DECISION}: is the decision of run {decision.run_id}")
    for entry in entries:
        if entry.kind != "decision" or entry.body["run_id"] != folder.name:
            continue
        if entry.body["decision_sha256"] != decision.decision_sha256:
            raise IntegrityError(
                f"{folder / DECISION}: is not the decision that entry {entry.seq} of the ledger "
                "records; restore the recorded one, or run again"
            )
    return DecidedRun(folder, decision)


def _decided_folder(workspace: Workspace, run_id: str | None) -> Path:
    if run_id is None:
        decided = decided_runs(workspace)
        if not decided:
            raise ConfigError(
                f"{workspace.root}: no run has come to a decision; run the pipeline first"
            )
        return decided[-1]
    folder = workspace.run_folder(Path(run_id).name)
    if not (folder / DECISION).exists() or folder.name != run_id:
        raise ConfigError(f"--run {run_id}: no decision under {workspace.runs}")
    return folder


def decided_runs(workspace: Workspace) -> list[Path]:
    """The folders of all runs with a decision, oldest first."""
    return sorted(path.parent for path in workspace.runs.glob(f"*/{DECISION}"))


def baseline_named_by(folder: Path) -> Path:
    """The baseline's folder as a run's request names it, unverified.

    One inside the workspace moved with it, where the workspace was moved since.

    Raises:
      IntegrityError: there is no such request, or it names none.
    """
    path = folder / REQUEST
    try:
        request = json.loads(path.read_text(encoding="utf-8"))
        named, before = Path(request["case_set"][0]), Path(request.get("ledger", "")).parent
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path}: names no case set ({error}); run again") from error
    if named.name != CASE_SET or not named.is_absolute():
        raise IntegrityError(f"{path}: got '{named}', wanted the full path of a {CASE_SET}")
    if named.is_relative_to(before):
        named = folder.resolve().parents[1] / named.relative_to(before)
    return named.resolve().parent


def known_baselines(workspace: Workspace) -> list[Path]:
    """The baselines that runs of this workspace were judged by, the newest run's last.

    As their requests name them, so without proof. A run whose request cannot be read is passed
    over: it must not keep people from the others.
    """
    named: dict[Path, None] = {}
    for folder in reversed(decided_runs(workspace)):
        with contextlib.suppress(IntegrityError):
            named.setdefault(baseline_named_by(folder))
    return [folder for folder in reversed(named) if folder.is_dir()]
