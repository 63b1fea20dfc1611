"""Lists of runs: what was released, what was stopped, and where ML Metadata says otherwise."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import ConfigError
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.questions.listing import Filters, blocked, listing
from pipeline.evidence.subject import Evidence
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored
from tests.pipeline.evidence.making import Told
from tests.refusing import refused

FAILED = judged(scored(CASES, wrong=range(30), model="worse"))
OTHER = "beef" + "0" * 36


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """A release, a blocked run, a failed and a killed one, a second release, and a rollback."""
    made = Told(tmp_path)
    first, second = (judged(scored(CASES, model=f"model {n}")) for n in (1, 2))
    run_id = made.run("2026-01-01T10:00", decision=first, version=1)
    made.run("2026-01-02T10:00", "blocked", decision=FAILED)
    made.run("2026-01-03T10:00", "failed", error="chest.npz: no such file")
    made.run("2026-01-04T10:00", "killed", exit_code=None, error="its process ended without a word")
    made.run("2026-01-05T10:00", decision=second, version=2)
    made.rolled_back(replace(first, run_id=run_id), (2, 1, 3), at="2026-01-06T10:00:00Z")
    return made


def listed(told: Told, *, limit: int = 50, **filters: Any) -> Answer:
    with Evidence(told.root) as evidence:
        return listing(evidence, Filters(**filters), limit=limit)


def stopped(told: Told, since: str | None = None) -> Answer:
    with Evidence(told.root) as evidence:
        return blocked(evidence, since)


def column(table: Table, name: str) -> list[object]:
    return [row[table.columns.index(name)] for row in table.rows]


def states(answer: Answer) -> list[object]:
    return column(answer.tables[0], "state")


def alter(told: Told, name: str, value: str) -> None:
    """Edits a property of the blocked run's row, as who keeps the database can."""
    connection = sqlite3.connect(told.root / "metadata.sqlite")
    with connection:
        done = connection.execute(
            "UPDATE ArtifactProperty SET string_value = ? WHERE name = ? AND artifact_id = "
            "(SELECT id FROM Artifact WHERE name LIKE '%/20260102T100000.000000Z')",
            (value, name),
        )
        assert done.rowcount == 1
    connection.close()


# casegate lineage list


def test_newest_first_with_rollbacks_as_lines_of_their_own(told: Told) -> None:
    answer = listed(told)
    assert states(answer) == [
        "rollback to 1",
        "released",
        "killed",
        "failed",
        "blocked",
        "released",
    ]
    assert column(answer.tables[0], "version") == [3, 2, None, None, None, 1]


def test_only_what_was_put_there_last_serves(told: Told) -> None:
    assert column(listed(told).tables[0], "serving") == [True, False, None, None, None, False]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"state": "failed"}, ["failed"]),
        ({"verdict": "FAIL"}, ["blocked"]),
        ({"since": "2026-01-05"}, ["rollback to 1", "released"]),
        ({"until": "2026-01-02"}, ["blocked", "released"]),
        ({"since": "2026-01-02", "until": "2026-01-03T10:00:00Z"}, ["failed", "blocked"]),
        ({"commit": "ABCD0", "state": "killed"}, ["killed"]),
        ({"commit": OTHER}, []),
        ({"trigger": "schedule"}, []),
    ],
)
def test_filters_narrow_it_down(told: Told, filters: dict[str, str], wanted: list[str]) -> None:
    assert states(listed(told, **filters)) == wanted


def test_what_the_limit_left_out_is_said(told: Told) -> None:
    answer = listed(told, limit=2)
    assert len(answer.tables[0].rows) == 2
    assert "2 of 6 are shown; --limit gives more." in answer.notes


def test_an_end_before_the_beginning_is_one_line(told: Told) -> None:
    with refused(ConfigError, "--since"):
        listed(told, since="2026-02-01", until="2026-01-01")


def test_a_row_that_was_edited_is_named_with_the_ledger_s_entry(told: Told) -> None:
    alter(told, "state", "released")
    answer = listed(told)
    assert answer.exit_code == 4
    (note,) = answer.notes
    assert "20260102T100000.000000Z" in note and "'released'" in note and "'blocked'" in note


def test_a_row_that_was_removed_is_missed(told: Told) -> None:
    connection = sqlite3.connect(told.root / "metadata.sqlite")
    with connection:
        connection.execute("DELETE FROM Artifact WHERE name LIKE '%/20260104T100000.000000Z'")
    connection.close()
    answer = listed(told)
    assert answer.exit_code == 4
    assert any("no row of run 20260104T100000.000000Z" in note for note in answer.notes)
    assert "killed" in states(answer)  # from its own record


# casegate lineage blocked


def test_what_released_nothing_is_there_with_its_reason(told: Told) -> None:
    runs = stopped(told).tables[0]
    assert column(runs, "state") == ["killed", "failed", "blocked"]
    ended, missing, checks = column(runs, "why")
    assert ended == "its process ended without a word" and missing == "chest.npz: no such file"
    count = sum(check.open for check in FAILED.checks)
    assert str(checks).startswith(f"{count} open check")


def test_open_checks_have_their_figures(told: Told) -> None:
    wanted = next(check for check in FAILED.checks if check.open and check.estimate is not None)
    table = stopped(told).tables[1]
    row = next(row for row in table.rows if row[2] == wanted.check)
    assert row[1] == wanted.verdict.value
    figures = (wanted.estimate, wanted.lower, wanted.upper, wanted.limit)
    assert row[4:8] == pytest.approx(figures, rel=1e-5)  # ML Metadata keeps six digits


def test_a_waiver_has_both_persons_and_its_last_day(told: Told) -> None:
    told.waived(FAILED, "looks", at="2026-01-07T00:00:00Z", expires="2026-01-31")
    told.waived(FAILED, "evaluator", at="2026-01-08T00:00:00Z", expires="2999-01-01")
    answer = stopped(told)
    waivers = answer.tables[2]
    assert column(waivers, "check") == ["evaluator", "looks"]
    assert column(waivers, "holds") == ["still holds", "expired"]
    assert set(column(waivers, "by")) == {"Dr. Ito"}
    assert set(column(waivers, "second")) == {"Dr. Weber"}
    assert column(waivers, "applied_in") == ["no run", "no run"]
    assert answer.facts["waivers granted"] == 2


def test_a_waived_check_of_a_release_is_there_too(told: Told) -> None:
    check = next(check for check in FAILED.checks if check.open)
    waived = replace(FAILED, checks=(replace(check, waived=True),))
    told.waived(FAILED, check.check, at="2026-01-07T00:00:00Z", expires="2026-01-31")
    run_id = told.run("2026-01-08T10:00", decision=waived, version=4)
    answer = stopped(told, "2026-01-07")
    assert (run_id, True) in [(row[0], row[8]) for row in answer.tables[1].rows]
    assert column(answer.tables[2], "applied_in") == [run_id]


def test_a_waiver_that_came_after_the_decision_was_not_applied_in_it(told: Told) -> None:
    check = next(check for check in FAILED.checks if check.open)
    waived = replace(FAILED, checks=(replace(check, waived=True),))
    told.run("2026-01-08T10:00", decision=waived, version=4)
    told.waived(FAILED, check.check, at="2026-01-09T00:00:00Z", expires="2026-01-31")
    assert column(stopped(told).tables[2], "applied_in") == ["no run"]


def test_since_leaves_out_what_was_before(told: Told) -> None:
    answer = stopped(told, "2026-01-04")
    assert column(answer.tables[0], "state") == ["killed"]
    assert answer.tables[1].rows == ()
