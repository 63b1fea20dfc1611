from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.evidence.answer import Answer
from pipeline.evidence.questions.live import live
from pipeline.evidence.subject import Evidence
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored
from tests.pipeline.evidence.making import PLACE, Told
from tests.refusing import refused


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Versions 1 and 2 on two days, and on the third a rollback to 1, served as 3."""
    made = Told(tmp_path)
    first, second = (judged(scored(CASES, model=f"model {n}")) for n in (1, 2))
    run_id = made.run("2026-01-01T10:00", decision=first, version=1)
    made.run("2026-01-02T10:00", decision=second, version=2)
    made.rolled_back(replace(first, run_id=run_id), (2, 1, 3), at="2026-01-03T10:00:00Z")
    (made.root / PLACE / "3").mkdir()
    return made


def asked(told: Told, at: str, destination: str | None = None) -> Answer:
    with Evidence(told.root) as evidence:
        return live(evidence, at, destination=destination)


def served(answer: Answer) -> tuple[object, object, object]:
    """Version, until when, and whether it still serves."""
    (row,) = answer.tables[0].rows
    return row[1], row[3], row[4]


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        ("2026-01-01T10:00:42.000Z", (1, "2026-01-02T10:00:42.000Z", False)),
        ("2026-01-02T10:00:41.999Z", (1, "2026-01-02T10:00:42.000Z", False)),
        ("2026-01-02T12:00:42+02:00", (2, "2026-01-03T10:00:00Z", False)),
        ("2026-01-04T00:00:00Z", (3, None, True)),
    ],
)
def test_a_version_serves_from_its_release_to_the_next(
    told: Told, at: str, wanted: tuple[object, object, object]
) -> None:
    assert served(asked(told, at)) == wanted


def test_the_run_of_a_rollback_is_the_one_that_made_the_model(told: Told) -> None:
    (row,) = asked(told, "2026-01-04T00:00:00Z").tables[0].rows
    assert row[5:8] == ("rollback to 1", "Dr. Okafor", "20260101T100000.000000Z")


def test_the_same_model_that_serves_again_is_said(told: Told) -> None:
    notes = asked(told, "2026-01-01T12:00:00Z").notes
    assert any("serves now again, as version 3" in note for note in notes)


def test_before_the_first_release_nothing_was_serving(told: Told) -> None:
    answer = asked(told, "2020-01-01T00:00:00Z")
    assert served(answer) == (None, "2026-01-01T10:00:42.000Z", False)
    assert any("nothing was serving then" in note for note in answer.notes)


def test_what_is_still_to_come_is_not_answered(told: Told) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    with refused(ConfigError, "--at"):
        asked(told, tomorrow.isoformat())


def test_a_time_without_a_zone_is_said_to_be_taken_as_utc(told: Told) -> None:
    assert "taken as UTC" in asked(told, "2026-01-02").notes[0]


def test_a_destination_is_known_by_the_ledger_s_name_and_by_its_path(told: Told) -> None:
    at = "2026-01-04T00:00:00Z"
    for name in (PLACE, f"{PLACE}/", str(told.root / PLACE)):
        assert served(asked(told, at, name))[0] == 3
    with refused(ConfigError, "did you mean 'serving/pneumonia'"):
        asked(told, at, "serving/pneumona")


def test_a_version_put_there_past_the_ledger_is_said(told: Told) -> None:
    (told.root / PLACE / "4").mkdir()
    notes = asked(told, "2026-01-04T00:00:00Z").notes
    assert any("highest version in the folder is 4" in note for note in notes)


def test_a_workspace_that_released_nothing_says_so(tmp_path: Path) -> None:
    empty = Told(tmp_path)
    empty.run("2026-01-01T10:00", "failed")
    assert asked(empty, "2026-01-02T00:00:00Z").tables[0].rows == ()
