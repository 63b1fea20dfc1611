"""Golden scores move only by a named person's approval; this makes the first one."""

import json
from pathlib import Path

from components.baselines.golden import Approval, Golden, save_golden
from components.baselines.scores import load_scores
from components.decision import Decision, Verdict, load_decision
from components.errors import ConfigError, IntegrityError
from components.run_files import DECISION, REQUEST, SCORES
from pipeline.workspace import Workspace, now


def bootstrap_golden(root: Path, *, run_id: str | None, by: str, reason: str) -> Path:
    """Approves a run's candidate as the first golden of its baseline.

    Args:
      run_id: the run whose candidate is approved; None takes the newest with a decision.
      by, reason: who approves, and why; both stay in the file.

    Returns:
      The path of the golden scores.

    Raises:
      ConfigError: no such run, nobody named, or its candidate failed a floor.
      IntegrityError: golden scores exist already.
    """
    if not by.strip() or not reason.strip():
        raise ConfigError("baseline bootstrap: --by and --reason must say something")
    workspace = Workspace(root.resolve())
    with workspace.opened():
        folder = _run_folder(workspace, run_id)
        decision = load_decision(folder / DECISION)
        baseline = _baseline_of(folder)
        golden = baseline / "golden.json"
        if golden.exists():
            raise IntegrityError(f"{golden}: golden scores exist already; they move by approval")
        _refuse_failed(decision, folder)
        scores = load_scores(folder / SCORES)
        if scores.scores_sha256 != decision.hashes["candidate_scores"]:
            raise IntegrityError(f"{folder / SCORES}: not the scores that were decided on")
        approval = Approval(by, reason, now(), decision.decision_sha256)
        save_golden(Golden(scores, approval), golden)
    return golden


def _run_folder(workspace: Workspace, run_id: str | None) -> Path:
    if run_id is not None:
        folder = workspace.run_folder(Path(run_id).name)
        if not (folder / DECISION).exists():
            raise ConfigError(f"--run {run_id}: no decision under {workspace.runs}")
        return folder
    decided = sorted(path.parent for path in workspace.runs.glob(f"*/{DECISION}"))
    if not decided:
        raise ConfigError(
            f"{workspace.root}: no run has come to a decision; run the pipeline first"
        )
    return decided[-1]


def _baseline_of(folder: Path) -> Path:
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    return Path(request["case_set"][0]).parent


def _refuse_failed(decision: Decision, folder: Path) -> None:
    failed = [check.check for check in decision.checks if check.verdict is Verdict.FAIL]
    if failed:
        raise ConfigError(
            f"{folder.name}: its candidate failed {', '.join(failed)}; a failed candidate cannot "
            "become golden: improve the model, or change the policy with a rationale"
        )
