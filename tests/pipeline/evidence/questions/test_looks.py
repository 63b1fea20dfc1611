from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.questions.looks import looks
from pipeline.evidence.subject import Evidence
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored
from tests.pipeline.evidence.making import COMMIT, Told
from tests.refusing import refused

PLANNED = 10  # by the policy that `judged` takes


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Three looks: one that passed, one that failed, and one before its run was killed."""
    made = Told(tmp_path)
    for day, wrong in ((1, range(0)), (2, range(30))):
        candidate = scored(CASES, wrong=wrong, model=f"model {day}")
        state = "blocked" if wrong else "released"
        run_id = made.run(
            f"2026-01-0{day}T10:00", state, decision=judged(candidate, looks_used=day)
        )
        if day == 1:
            (made.workspace.run_folder(run_id) / "report.html").write_text("a report")
    look(made, made.run("2026-01-03T10:00", "killed"), version=2)
    return made


def look(told: Told, run_id: str, *, version: int = 1) -> None:
    """A look at a later version, whose run did not come to a decision."""
    named = {"case_set": "planted", "case_set_version": version, "case_set_root": "0" * 64}
    told.entry("look", {"run_id": run_id, **named}, at="2026-01-03T10:00:40.000Z")


def asked(told: Told, name: str = "planted") -> Answer:
    with Evidence(told.root) as evidence:
        return looks(evidence, name)


def table(answer: Answer, name: str) -> Table:
    return next(table for table in answer.tables if table.name == name)


def column(answer: Answer, name: str) -> list[object]:
    found = table(answer, "looks")
    return [row[found.columns.index(name)] for row in found.rows]


def test_every_look_counts_whatever_became_of_its_run(told: Told) -> None:
    answer = asked(told)
    assert answer.facts["looks"] == 3
    assert answer.facts["looks planned by the last policy"] == PLANNED
    assert answer.facts["looks left"] == PLANNED - 3
    assert column(answer, "verdict") == ["PASS", "FAIL", None]
    assert column(answer, "commit") == [COMMIT] * 3


def test_what_each_look_told_a_person_is_said(told: Told) -> None:
    report, decision, nothing = column(asked(told), "disclosed")
    assert "report" in str(report)
    assert "decision" in str(decision)
    assert "nothing" in str(nothing)


def test_looks_at_every_version_count_together(told: Told) -> None:
    versions = table(asked(told), "versions").rows
    assert [row[:2] for row in versions] == [(1, 2), (2, 1)]


def test_an_amendment_is_named_with_its_person_and_reason(told: Told) -> None:
    body = {
        "case_set": "planted",
        "from_version": 1,
        "from_root": "1" * 64,
        "to_version": 2,
        "to_root": "0" * 64,
        "reason": "two were mislabelled",
        "relabelled": ["case-0001", "case-0002"],
    }
    told.entry("amendment", body, at="2026-01-04T00:00:00Z", by="A. Radiologist")
    ((_, by, before, after, changed, reason, _),) = table(asked(told), "amendments").rows
    assert (by, before, after, changed) == ("A. Radiologist", 1, 2, "2 relabelled")
    assert reason == "two were mislabelled"


def test_more_looks_than_planned_are_said(told: Told) -> None:
    for _ in range(PLANNED):
        look(told, "20260103T100000.000000Z")
    answer = asked(told)
    assert answer.facts["looks left"] == -3
    assert any("3 times more often" in note for note in answer.notes)


def test_a_decision_that_counts_otherwise_than_the_ledger_is_said(told: Told) -> None:
    told.run("2026-01-04T10:00", "blocked", decision=judged(looks_used=9))
    assert any("counts 9 looks, the ledger 4" in note for note in asked(told).notes)


def test_a_set_that_was_never_used_is_one_line_with_those_there_are(told: Told) -> None:
    with refused(ConfigError, "did you mean 'planted'"):
        asked(told, "plantd")


def test_a_shipped_set_without_a_look_has_none(told: Told) -> None:
    answer = asked(told, "phantom")
    assert (answer.facts["looks"], answer.facts["looks left"]) == (0, None)
