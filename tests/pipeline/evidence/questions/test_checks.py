"""Whether a release's verifications were complete and in order, on runs whose times are planted."""

import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from components.baselines.golden import save_golden
from components.decision import Decision, Verdict, WaiverNote
from pipeline.evidence.answer import Answer
from pipeline.evidence.moment import moment
from pipeline.evidence.questions.checks import WRONG, Pair, RecordedStep, checks
from pipeline.evidence.subject import Evidence
from pipeline.settings.provenance import committed
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import approved, scored
from tests.pipeline.evidence.making import Told, name_policy

MINUTE = "2026-01-05T10:00"
PASSED = judged()


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def asked(told: Told, name: str = "7") -> Answer:
    with Evidence(told.root) as evidence:
        return checks(evidence, evidence.subject(name))


def release(told: Told, **given: Any) -> Answer:
    given.setdefault("decision", PASSED)
    told.run(MINUTE, version=7, **given)
    return asked(told)


def orders(answer: Answer) -> dict[tuple[str, str], str]:
    (table,) = (table for table in answer.tables if table.name == "order")
    return {(str(row[1]), str(row[2])): str(row[0]) for row in table.rows}


def waived(decision: Decision) -> Decision:
    """The decision with a check that failed and was let through."""
    first = replace(decision.checks[0], verdict=Verdict.FAIL, waived=True)
    note = WaiverNote(first.check, "Dr. Ito", "Dr. Weber", "repair", "2026-02-01", "applied")
    return replace(decision, checks=(first, *decision.checks[1:]), waivers=(note,))


def test_complete_and_in_order_exits_0_and_shows_every_time(told: Told) -> None:
    answer = release(told)
    assert answer.exit_code == 0, answer.notes
    assert set(orders(answer).values()) == {"in order"}
    assert orders(answer)["look counted", "decided"] == "in order"
    (times,) = (table for table in answer.tables if table.name == "times")
    assert [row[1] for row in times.rows][:2] == ["acceptance criteria committed", "run started"]
    assert [row[1] for row in times.rows][-3:] == ["decided", "released", "record closed"]


def test_criteria_that_were_not_committed_are_said_and_exit_1(told: Told) -> None:
    answer = release(told, given={"policy_commit": None, "policy_committed": None})
    assert answer.exit_code == 1
    assert "acceptance criteria committed" in answer.notes[0]
    assert answer.facts["acceptance criteria committed before the result"] is False


def test_criteria_committed_after_the_start_are_in_the_wrong_order(told: Told) -> None:
    answer = release(told, given={"policy_committed": "2026-01-05T10:00:01Z"})
    assert answer.exit_code == 1
    assert orders(answer)["acceptance criteria committed", "run started"] == "WRONG ORDER"
    assert answer.facts["acceptance criteria committed before the result"] is False


def test_the_same_second_contradicts_nothing_and_is_said(told: Told) -> None:
    answer = release(told, given={"policy_committed": "2026-01-05T10:00:00Z"})
    assert answer.exit_code == 0
    pair = ("acceptance criteria committed", "run started")
    assert orders(answer)[pair] == "same time as recorded"
    assert any("proves no order" in note for note in answer.notes)


@pytest.mark.parametrize(
    ("moved", "pair"),
    [
        ({"DataGate": 6.5}, ("training data admitted", "training started")),
        ({"CaseSet": 20.5}, ("case set verified", "scoring of the candidate started")),
        ({"Trainer": 19.5}, ("training ended", "scoring of the candidate started")),
        ({"CandidateScorer": 39.5}, ("candidate scored", "look counted")),
        ({"Evaluator": 39.5}, ("candidate evaluated", "look counted")),
        ({"look": 41.5}, ("look counted", "decided")),
        ({"release": 40.5}, ("decided", "released")),
    ],
)
def test_each_step_that_comes_too_late_is_named(
    told: Told, moved: dict[str, float], pair: tuple[str, str]
) -> None:
    answer = release(told, seconds=moved)
    assert answer.exit_code == 1
    assert orders(answer)[pair] == "WRONG ORDER"
    assert any(pair[0] in note and pair[1] in note for note in answer.notes)


@pytest.mark.parametrize("component", ["DataGate", "CaseSet", "CandidateScorer", "Evaluator"])
def test_a_verification_that_is_not_on_record_exits_1(told: Told, component: str) -> None:
    answer = release(told, skip=(component,))
    assert answer.exit_code == 1
    assert answer.facts["steps on record"] == "9 of 10 that are required"


def test_a_run_that_released_nothing_was_not_verified_for_a_release(told: Told) -> None:
    run_id = told.run(MINUTE, "blocked", decision=judged(scored(CASES, wrong=range(30))))
    answer = asked(told, run_id)
    assert answer.exit_code == 1
    assert any(note.startswith("Open check: ") for note in answer.notes)


def test_a_waived_check_is_named_with_both_persons(told: Told) -> None:
    decision = waived(PASSED)
    told.waived(decision, decision.checks[0].check, at="2026-01-05T09:00:00Z", expires="2026-02-01")
    answer = release(told, decision=decision)
    assert answer.exit_code == 0, answer.notes
    (note,) = (note for note in answer.notes if note.startswith("Waived: "))
    assert decision.checks[0].check in note and "Dr. Ito and Dr. Weber" in note
    assert answer.facts["checks: waived"] == decision.checks[0].check


def test_a_check_waived_by_nobody_exits_1(told: Told) -> None:
    answer = release(told, decision=waived(PASSED))
    assert answer.exit_code == 1
    assert any("waiver of" in note for note in answer.notes)


def test_a_waiver_that_was_granted_afterwards_does_not_count(told: Told) -> None:
    decision = waived(PASSED)
    told.run(MINUTE, decision=decision, version=7)
    told.waived(decision, decision.checks[0].check, at="2026-01-05T11:00:00Z", expires="2026-02-01")
    answer = asked(told)
    assert answer.exit_code == 1
    assert "WRONG ORDER" in orders(answer).values()


def test_a_second_waiver_afterwards_does_not_unmake_the_first(told: Told) -> None:
    decision = waived(PASSED)
    name = decision.checks[0].check
    told.waived(decision, name, at="2026-01-05T09:00:00Z", expires="2026-02-01")
    told.run(MINUTE, decision=decision, version=7)
    told.waived(decision, name, at="2026-01-05T11:00:00Z", expires="2026-03-01")
    assert asked(told).exit_code == 0


def test_the_ledger_s_order_counts_whatever_the_times_of_its_entries_say() -> None:
    early, late = moment("2026-01-05T10:00:00Z"), moment("2026-01-05T11:00:00Z")
    first, second = (
        RecordedStep("decided", early, "", seq=9),
        RecordedStep("released", late, "", seq=8),
    )
    assert Pair(first, second).order == WRONG


def test_golden_s_approval_is_taken_from_the_kept_copy(told: Told, tmp_path: Path) -> None:
    save_golden(approved(scored(CASES)), tmp_path / "golden.json")
    content = (tmp_path / "golden.json").read_bytes()
    kept = told.workspace.kept("golden.json", sha256(content).hexdigest())
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    answer = release(told, given={"golden_file_sha256": sha256(content).hexdigest()})
    assert answer.exit_code == 0, answer.notes
    assert orders(answer)["golden approved", "run started"] == "in order"


def test_a_rollback_is_verified_by_the_run_that_made_the_model(told: Told) -> None:
    run_id = told.run(MINUTE, decision=PASSED, version=7)
    told.rolled_back(replace(PASSED, run_id=run_id), (8, 7, 9), at="2026-01-06T00:00:00Z")
    answer = asked(told, "9")
    assert answer.exit_code == 0, answer.notes
    assert orders(answer)["released", "put back by a rollback"] == "in order"


# What git says


def git(folder: Path, *words: str) -> None:
    named = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", str(folder), *named, *words], check=True, capture_output=True)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A committed policy.yaml."""
    path = tmp_path / "checkout" / "policy.yaml"
    path.parent.mkdir()
    path.write_text("name: planted\n")
    git(path.parent, "init", "--quiet")
    git(path.parent, "add", ".")
    git(path.parent, "commit", "--quiet", "--date=2026-01-01T00:00:00Z", "-m", "criteria")
    return path


def given_by_git(policy: Path) -> dict[str, Any]:
    commit, time = committed(policy)
    digest = sha256(policy.read_bytes()).hexdigest()
    return {"policy_commit": commit, "policy_committed": time, "policy_sha256": digest}


def remark(told: Told, policy: Path, given: dict[str, Any]) -> Any:
    run_id = told.run("2099-01-05T10:00", decision=PASSED, version=7, given=given)
    name_policy(told, run_id, policy)
    (times,) = (table for table in asked(told).tables if table.name == "times")
    return next(row[3] for row in times.rows if row[1] == "acceptance criteria committed")


def test_git_confirms_text_and_time_of_the_criteria(told: Told, policy: Path) -> None:
    assert remark(told, policy, given_by_git(policy)) == "git here has the same text and time"


def test_a_record_that_names_a_commit_with_another_text_is_found(told: Told, policy: Path) -> None:
    given = {**given_by_git(policy), "policy_sha256": "0" * 64}
    assert "another text" in remark(told, policy, given)
    assert asked(told).exit_code == 1


def test_a_record_that_dates_the_commit_back_is_found(told: Told, policy: Path) -> None:
    given = {**given_by_git(policy), "policy_committed": "2020-01-01T00:00:00Z"}
    assert "git says otherwise: the commit is of" in remark(told, policy, given)
    assert asked(told).exit_code == 1
