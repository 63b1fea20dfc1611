"""`casegate gate` with a workspace or a ledger: what is put on record."""

import time
from pathlib import Path

import pytest

from components.baselines.golden import load_golden
from components.decision import load_decision
from components.records.errors import ConfigError, UsageError
from components.records.ledger.ledger import Ledger
from pipeline.governance.approval import bootstrap_golden
from pipeline.governance.ledger_check import verify_ledger
from pipeline.governance.waiver import waive_check
from pipeline.settings.workspace import Workspace
from tests.pipeline.score_making import Team, decided
from tests.refusing import refusal


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


# The ledger


def test_a_look_and_a_decision_are_written_down(team: Team) -> None:
    workspace = Workspace(team.root / "ws")
    result = team.gate(workspace=workspace.root, format="json")
    look, entry = Ledger(workspace.ledger).entries()
    assert (look.kind, entry.kind) == ("look", "decision")
    assert entry.body["decision_sha256"] == decided(result).decision_sha256
    kept = load_decision(workspace.run_folder("run-1") / "decision.json")
    assert kept == decided(result) and kept.looks.used == 1
    assert verify_ledger(workspace.root).decisions == 1


def test_more_looks_than_planned_prove_nothing(team: Team) -> None:
    ledger = team.root / "kept" / "ledger.jsonl"
    codes = [team.gate(ledger=ledger, run_id=f"run-{i}").exit_code for i in range(4)]
    assert codes == [0, 0, 0, 3]


def test_a_refused_file_is_no_look(team: Team) -> None:
    workspace = Workspace(team.root / "ws")
    refusal(team.gate(workspace=workspace.root, operating_point=None), UsageError)
    assert Ledger(workspace.ledger).entries() == ()


def test_a_run_id_is_given_once(team: Team) -> None:
    place = team.root / "ws"
    assert team.gate(workspace=place).exit_code == 0
    assert "exists already" in refusal(team.gate(workspace=place), ConfigError)


def test_a_waiver_holds_for_the_same_scores(team: Team) -> None:
    place, bad = team.root / "ws", team.candidate(*range(12))
    first = decided(team.gate(bad, workspace=place, format="json"))
    for check in (check.check for check in first.checks if check.open):
        waive_check(
            place, check, run_id="run-1", by="A. Radiologist", second="B. Physicist",
            reason="known", expires=time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400)),
        )  # fmt: skip
    again = team.gate(bad, workspace=place, run_id="run-2", format="json")
    assert first.exit_code == 3 and again.exit_code == 0
    assert {note.state for note in decided(again).waivers} == {"applied"}


def test_the_first_golden_can_be_approved_from_score_files(team: Team) -> None:
    team.golden.unlink()
    place = team.root / "ws"
    assert team.gate(workspace=place).exit_code == 3
    bootstrap_golden(place, run_id="run-1", by="A. Radiologist", reason="first")
    assert load_golden(team.golden).approval.by == "A. Radiologist"
    other = team.candidate(3)
    assert team.gate(other, workspace=place, run_id="run-2").exit_code == 0


def test_a_file_of_another_name_cannot_be_put_on_record(team: Team) -> None:
    other = team.case_set.rename(team.folder / "cases.json")
    line = refusal(team.gate(case_set=other, workspace=team.root / "ws"), ConfigError)
    assert "has to rest on a file named case_set.json" in line
    assert team.gate(case_set=other).exit_code == 0
