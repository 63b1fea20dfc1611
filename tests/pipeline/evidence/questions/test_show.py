import sqlite3
from pathlib import Path

import pytest

from components.records.errors import IntegrityError
from pipeline.evidence.answer import Answer
from pipeline.evidence.questions.show import show
from pipeline.evidence.subject import Evidence
from tests.components.gate.test_decide import judged
from tests.pipeline.evidence.making import COMMIT, ENVIRONMENT, Told
from tests.refusing import refused

PASSED = judged()


@pytest.fixture
def told(tmp_path: Path) -> Told:
    made = Told(tmp_path)
    made.run(
        "2026-01-05T10:00", decision=PASSED, version=7, given={"golden_approved_by": "Dr. Ito"}
    )
    return made


def asked(told: Told, name: str = "7") -> Answer:
    with Evidence(told.root) as evidence:
        return show(evidence, evidence.subject(name))


def test_a_release_names_data_code_environment_policy_verdict_and_people(told: Told) -> None:
    facts = asked(told).facts
    assert facts["release: model"] == PASSED.hashes["candidate"]
    assert facts["release: attestation"] == "unsigned"
    assert facts["code: commit"] == COMMIT
    assert facts["environment: hash"] == ENVIRONMENT.sha256
    assert facts["policy: committed"] == "2026-01-01T00:00:00Z"
    assert facts["verdict"] == "PASS"
    assert facts["approval: golden approved by"] == "Dr. Ito"
    assert facts["circumstances: started by"] == "ada"
    assert facts["its model serves now"] == "serving/pneumonia version 7"


def test_every_check_and_component_is_there(told: Told) -> None:
    checks, components = asked(told).tables
    assert [row[1] for row in checks.rows] == [check.check for check in PASSED.checks]
    assert components.rows[2] == ("Trainer", "finished", "2026-01-05T10:00:06.000Z", 1.0, 1024)


def test_what_the_record_does_not_say_is_none_and_never_guessed(told: Told) -> None:
    facts = asked(told).facts
    assert facts["data: their Merkle root"] is None
    assert facts["environment: processor"] is None


def test_a_run_that_released_nothing_says_so(told: Told) -> None:
    run_id = told.run("2026-01-06T10:00", "failed", error="chest.npz: no such file")
    answer = asked(told, run_id)
    assert answer.facts["version"] == "none: it released nothing"
    assert answer.facts["error"] == "chest.npz: no such file"
    assert answer.tables[0].rows == ()


def test_metadata_that_was_edited_is_said_and_exits_4(told: Told) -> None:
    assert "ML Metadata says the same as the record." in asked(told).notes
    connection = sqlite3.connect(told.root / "metadata.sqlite")
    with connection:
        connection.execute(
            "UPDATE ArtifactProperty SET string_value = 'eve' WHERE name = 'started_by'"
        )
    connection.close()
    answer = asked(told)
    assert answer.exit_code == 4
    assert any("disagrees with the record in started_by" in note for note in answer.notes)
    assert answer.facts["circumstances: started by"] == "ada"


def test_a_record_that_was_edited_is_not_shown(told: Told) -> None:
    path = told.workspace.run_folder("20260105T100000.000000Z") / "run.json"
    path.write_text(path.read_text().replace('"ada"', '"eve"'))
    with refused(IntegrityError, "run.json"):
        asked(told)
