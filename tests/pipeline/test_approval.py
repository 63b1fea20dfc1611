import json
from pathlib import Path

import pytest

from components.baselines.golden import load_golden
from components.decision import Verdict
from components.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.run_files import DECISION, SCORES
from pipeline.approval import bootstrap_golden
from pipeline.workspace import Workspace
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import check, policy, scored
from tests.pipeline.making import write_run

FLOORS = policy(check("sensitivity", floor=0.8))
GOOD = scored(CASES)
BAD = scored(CASES, wrong=range(100))


def first_run(root: Path, run_id: str = "run-1", candidate=GOOD) -> Path:  # type: ignore[no-untyped-def]
    """A first run's folder: no champion, no golden."""
    decision = judged(candidate, rules=FLOORS, champion=None, golden=None, run_id=run_id)
    return write_run(Workspace(root / "ws"), run_id, decision, candidate, root / "baseline")


def approve(root: Path, **changed: str | None) -> Path:
    given = {"run_id": None, "by": "A. Radiologist", "reason": "first model"}
    return bootstrap_golden(root / "ws", **{**given, **changed})  # type: ignore[arg-type]


def test_an_inconclusive_candidate_becomes_golden_by_name(tmp_path: Path) -> None:
    folder = first_run(tmp_path)
    golden = load_golden(approve(tmp_path))
    assert golden.scores.scores_sha256 == GOOD.scores_sha256
    assert (golden.approval.by, golden.approval.reason) == ("A. Radiologist", "first model")
    decision = json.loads((folder / DECISION).read_text())
    assert decision["verdict"] == Verdict.INCONCLUSIVE.value
    assert golden.approval.decision_sha256 == decision["decision_sha256"]


def test_the_newest_decision_is_taken_unless_a_run_is_named(tmp_path: Path) -> None:
    older = scored(CASES, wrong=[3])
    first_run(tmp_path, "run-1", older)
    first_run(tmp_path, "run-2")
    path = approve(tmp_path)
    assert load_golden(path).scores.scores_sha256 == GOOD.scores_sha256
    path.unlink()
    assert load_golden(approve(tmp_path, run_id="run-1")).scores.scores_sha256 == (
        older.scores_sha256
    )


def test_a_failed_candidate_cannot_become_golden(tmp_path: Path) -> None:
    first_run(tmp_path, candidate=BAD)
    with pytest.raises(ConfigError, match=r"failed sensitivity\[overall\].floor"):
        approve(tmp_path)
    assert not (tmp_path / "baseline" / "golden.json").exists()


def test_golden_is_not_replaced(tmp_path: Path) -> None:
    first_run(tmp_path)
    before = approve(tmp_path).read_bytes()
    with pytest.raises(IntegrityError, match="exist already"):
        approve(tmp_path, by="B. Other")
    assert (tmp_path / "baseline" / "golden.json").read_bytes() == before


@pytest.mark.parametrize("missing", ["by", "reason"])
def test_nobody_and_no_reason_approve_nothing(tmp_path: Path, missing: str) -> None:
    first_run(tmp_path)
    with pytest.raises(ConfigError, match="must say something"):
        approve(tmp_path, **{missing: "  "})


def test_scores_of_another_model_are_refused(tmp_path: Path) -> None:
    other = first_run(tmp_path, "run-2", scored(CASES, wrong=[3])) / SCORES
    (first_run(tmp_path, "run-1") / SCORES).write_bytes(other.read_bytes())
    with pytest.raises(IntegrityError, match="not the scores that were decided on"):
        approve(tmp_path, run_id="run-1")


def test_an_edited_decision_approves_nothing(tmp_path: Path) -> None:
    decision = first_run(tmp_path, candidate=BAD) / DECISION
    decision.write_text(decision.read_text().replace('"FAIL"', '"PASS"'))
    with pytest.raises(IntegrityError, match="the decision was edited"):
        approve(tmp_path)


@pytest.mark.parametrize("run_id", ["run-9", "../run-9", ""])
def test_an_unknown_run_is_refused(tmp_path: Path, run_id: str) -> None:
    first_run(tmp_path)
    with pytest.raises(ConfigError, match="no decision under"):
        approve(tmp_path, run_id=run_id)


def test_a_workspace_without_runs_has_nothing_to_approve(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run has come to a decision"):
        approve(tmp_path)


def test_a_running_pipeline_is_not_approved_from(tmp_path: Path) -> None:
    first_run(tmp_path)
    with Workspace(tmp_path / "ws").opened(), pytest.raises(WorkspaceBusy):
        approve(tmp_path)
