"""The first golden, approved by bootstrap."""

import json
import shutil
from pathlib import Path

import pytest

from components.baselines.case_set import save_case_set
from components.baselines.golden import load_golden
from components.decision import Verdict
from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.run_files import DECISION, REQUEST, SCORES
from pipeline.governance.approval import bootstrap_golden
from pipeline.settings.workspace import Workspace
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import check, locked, policy, scored
from tests.dying import killed_before_each_change
from tests.pipeline.governing import PERSON, REASON, Governed
from tests.pipeline.making import write_run
from tests.refusing import refused

FLOORS = policy(check("sensitivity", floor=0.8))
GOOD = scored(CASES)
BAD = scored(CASES, wrong=range(100))


def first_run(root: Path, run_id: str = "run-1", candidate=GOOD) -> Path:  # type: ignore[no-untyped-def]
    """A first run's folder: no champion, no golden."""
    decision = judged(candidate, rules=FLOORS, champion=None, golden=None, run_id=run_id)
    save_case_set(CASES, root / "baseline" / "case_set.json")
    return write_run(Workspace(root / "ws"), run_id, decision, candidate, root / "baseline")


def approve(root: Path, **changed: str | None) -> Path:
    given = {"run_id": None, "by": "A. Radiologist", "reason": "first model"}
    return bootstrap_golden(root / "ws", **{**given, **changed}).path  # type: ignore[arg-type]


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
    shutil.copytree(tmp_path / "ws" / "runs", tmp_path / "other" / "ws" / "runs")
    path.unlink()
    path = approve(tmp_path / "other", run_id="run-1")
    assert load_golden(path).scores.scores_sha256 == older.scores_sha256


def test_a_failed_candidate_cannot_become_golden(tmp_path: Path) -> None:
    first_run(tmp_path, candidate=BAD)
    with refused(ConfigError, "run-1", "sensitivity[overall].floor"):
        approve(tmp_path)
    assert not (tmp_path / "baseline" / "golden.json").exists()


def test_golden_is_not_replaced(tmp_path: Path) -> None:
    first_run(tmp_path)
    before = approve(tmp_path).read_bytes()
    with refused(IntegrityError, "baseline/golden.json"):
        approve(tmp_path, by="B. Other")
    assert (tmp_path / "baseline" / "golden.json").read_bytes() == before


@pytest.mark.parametrize("missing", ["by", "reason"])
def test_nobody_and_no_reason_approve_nothing(tmp_path: Path, missing: str) -> None:
    first_run(tmp_path)
    with refused(ConfigError, f"--{missing}: got '  '"):
        approve(tmp_path, **{missing: "  "})


def test_scores_of_another_model_are_refused(tmp_path: Path) -> None:
    other = first_run(tmp_path, "run-2", scored(CASES, wrong=[3])) / SCORES
    (first_run(tmp_path, "run-1") / SCORES).write_bytes(other.read_bytes())
    with refused(IntegrityError, "run-1/scores.json"):
        approve(tmp_path, run_id="run-1")


def test_an_edited_decision_approves_nothing(tmp_path: Path) -> None:
    decision = first_run(tmp_path, candidate=BAD) / DECISION
    decision.write_text(decision.read_text().replace('"FAIL"', '"PASS"'))
    with refused(IntegrityError, "run-1/decision.json"):
        approve(tmp_path)


@pytest.mark.parametrize("run_id", ["run-9", "../run-9", ""])
def test_an_unknown_run_is_refused(tmp_path: Path, run_id: str) -> None:
    first_run(tmp_path)
    with refused(ConfigError, f"--run {run_id}: ", tmp_path / "ws" / "runs"):
        approve(tmp_path, run_id=run_id)


def test_a_workspace_without_runs_has_nothing_to_approve(tmp_path: Path) -> None:
    with refused(ConfigError, tmp_path / "ws"):
        approve(tmp_path)


def test_a_running_pipeline_is_not_approved_from(tmp_path: Path) -> None:
    first_run(tmp_path)
    with Workspace(tmp_path / "ws").opened(), pytest.raises(WorkspaceBusy):
        approve(tmp_path)


def test_a_request_that_points_elsewhere_moves_no_golden(tmp_path: Path) -> None:
    folder = first_run(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    for case_set in (None, locked(4, 4)):
        if case_set:
            save_case_set(case_set, elsewhere / "case_set.json")
        request = {"case_set": [str(elsewhere / "case_set.json"), ""]}
        (folder / REQUEST).write_text(json.dumps(request))
        with refused(IntegrityError, elsewhere / "case_set.json"):
            approve(tmp_path)
        assert not (elsewhere / "golden.json").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"case_set":[]}',
        '{"case_set":["case_set.json",""]}',
        '{"case_set":["/baseline/policy.yaml",""]}',
    ],
)
def test_a_request_that_names_no_case_set_is_refused(tmp_path: Path, text: str) -> None:
    (first_run(tmp_path) / REQUEST).write_text(text)
    with refused(IntegrityError, "run-1/request.json: "):
        approve(tmp_path)


def test_a_bootstrap_is_on_record(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    governed.first()
    entry = governed.ledger.entries()[-1]
    assert (entry.kind, entry.by, entry.at) == ("approval", PERSON, governed.golden.approval.date)
    assert entry.body["baseline"] == "baselines/planted"
    assert entry.body["from_golden_sha256"] is None
    assert entry.body["to_golden_sha256"] == governed.golden.golden_sha256
    assert (entry.body["run_id"], entry.body["proposed_by"]) == ("run-1", None)


def test_golden_that_was_removed_is_put_back_as_approved_and_not_replaced(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    governed.first()
    before = (governed.baseline / "golden.json").read_bytes()
    (governed.baseline / "golden.json").unlink()
    governed.run("run-2", scored(CASES, wrong=range(9)), champion=None)
    assert bootstrap_golden(governed.root, run_id="run-2", by="B", reason="mine").finished
    assert (governed.baseline / "golden.json").read_bytes() == before


@pytest.mark.process
def test_a_bootstrap_killed_at_any_instant_is_finished_next(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    governed.run("run-1", GOOD, champion=None)
    shutil.copytree(governed.root, tmp_path / "before")

    def prepare() -> None:
        shutil.rmtree(governed.root)
        shutil.copytree(tmp_path / "before", governed.root)

    def first() -> None:
        bootstrap_golden(governed.root, run_id=None, by=PERSON, reason=REASON)

    for _ in killed_before_each_change(prepare, first):
        if not (governed.baseline / "golden.json").exists():
            bootstrap_golden(governed.root, run_id=None, by=PERSON, reason=REASON)
        (entry,) = [e for e in governed.ledger.entries() if e.kind == "approval"]
        assert governed.golden.golden_sha256 == entry.body["to_golden_sha256"]
