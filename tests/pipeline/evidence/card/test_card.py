"""What a card derives, and what it must not believe."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.card.card import Card, CardSection
from components.decision import Verdict
from components.lineage.training import manifest_path, write_manifest
from components.records.errors import ConfigError, IntegrityError, SignatureError
from components.records.export import TFJS, TFLITE_INT8
from components.records.run_files import DECISION_ATTESTATION
from pipeline.evidence.card.card import card_of
from pipeline.evidence.card.sections import (
    TrainedOn,
    evaluation_section,
    limits_section,
    synthetic,
    trained_on,
)
from pipeline.evidence.card.stated import Stated, stated
from pipeline.evidence.judged import JudgedRun, judged
from pipeline.evidence.questions.performance import dividing_attributes, figures
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.releasing import RUN, VERSION, ReleasedRun, released, training
from tests.refusing import refused


@pytest.fixture
def run(tmp_path: Path) -> ReleasedRun:
    return released(tmp_path, wrong=(1, 5))


def card(run: ReleasedRun) -> Card:
    with Evidence(run.workspace.root) as evidence:
        return card_of(evidence, evidence.subject(str(VERSION)))


def section(made: Card, title: str) -> CardSection:
    (found,) = [s for s in made.sections if s.title == title]
    return found


def found_of(run: ReleasedRun) -> JudgedRun:
    with Evidence(run.workspace.root) as evidence:
        return judged(evidence, evidence.subject(RUN))


def trained(run: ReleasedRun, **attributes: str) -> tuple[JudgedRun, TrainedOn]:
    """As if the run had been trained on cases that all have these attributes."""
    found = found_of(run)
    rows = [replace(training(i), attributes=attributes) for i in range(3)]
    root = write_manifest(rows, run.workspace.training).root
    found = replace(
        found, record=replace(found.record, inputs=replace(found.record.inputs, training_root=root))
    )
    with Evidence(run.workspace.root) as evidence:
        made = trained_on(evidence, found)
    assert made is not None
    return found, made


def limits(found: JudgedRun, made: TrainedOn | None) -> str:
    rows = list(figures(found, dividing_attributes(found)))
    return " ".join(limits_section(found, rows, made, Stated()).texts)


def test_an_edited_configuration_is_not_described(run: ReleasedRun) -> None:
    path = run.workspace.run_folder(RUN) / "config.json"
    path.write_text('{"model": {"epochs": 99}}')
    with refused(IntegrityError, "config.json: "):
        card(run)


def test_settings_that_nobody_recorded_are_not_known(run: ReleasedRun) -> None:
    facts = section(card(run), "Model").facts
    assert facts["input"] is None and facts["how it was chosen"] is None


def test_an_altered_manifest_is_not_taken_for_none(run: ReleasedRun) -> None:
    path = manifest_path(run.workspace.training, str(run.record.inputs.training_root))
    path.write_bytes(path.read_bytes().replace(b"Aster", b"Cirro"))
    with refused(IntegrityError, "Merkle root"):
        card(run)


def test_a_file_that_merely_lies_there_is_no_signature(run: ReleasedRun) -> None:
    made = card(run)
    assert section(made, "Approvals").facts["decision signed by"] == "nobody"
    folder = run.workspace.run_folder(RUN)
    (folder / DECISION_ATTESTATION).write_text("{}")
    with refused(SignatureError, folder / DECISION_ATTESTATION):
        card(run)


def test_a_group_that_was_not_trained_on_is_a_limit(run: ReleasedRun) -> None:
    said = limits(*trained(run, device="Zenith"))
    assert "In the training data and not in the case set: device=Zenith." in said
    assert "In the case set and not in the training data: device=" in said


def test_an_attribute_that_is_not_recorded_is_no_missing_group(run: ReleasedRun) -> None:
    found, made = trained(run, scanner="Zenith")
    said = limits(found, made)
    assert "In the case set and not in the training data" not in said
    assert "The training data do not record" in said and "does not record scanner" in said


def test_one_value_for_every_case_is_still_held_against_training(run: ReleasedRun) -> None:
    found, made = trained(run, country="FR")
    case_set = found.case_set
    cases = tuple(replace(c, attributes={"country": "DE"}) for c in case_set.cases)
    case_set = replace(case_set, cases=cases)
    found = replace(found, case_set=case_set, cases=type(found.cases)(case_set))
    said = limits(found, made)
    assert "country=FR" in said and "country=DE" in said


def test_a_case_that_was_trained_on_is_counted(run: ReleasedRun) -> None:
    found = found_of(run)
    seen = found.case_set.cases[3]
    row = replace(training(0), pixels_sha256=seen.pixels_sha256)
    root = write_manifest([row], run.workspace.training).root
    inputs = replace(found.record.inputs, training_root=root)
    found = replace(found, record=replace(found.record, inputs=inputs))
    with Evidence(run.workspace.root) as evidence:
        made = trained_on(evidence, found)
    facts = evaluation_section(found, made).facts
    assert facts["cases whose image is in the training data"] == 1


def test_synthetic_training_cases_are_said_to_be_some(run: ReleasedRun) -> None:
    (said,) = synthetic(*trained(run, origin="synthetic"))
    assert said == "3 of 3 training and tuning cases are synthetic."


def test_a_figure_without_a_value_stays_in_the_card(run: ReleasedRun) -> None:
    tables = section(card(run), "Performance").tables
    rows = [row for table in tables for row in table.rows]
    assert all(None not in row for row in rows)
    assert {row[1] for row in rows} == {"sensitivity", "specificity", "auc", "brier", "ece"}


def test_what_nobody_committed_is_not_approved(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=A", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    (tmp_path / "card.yaml").write_text("contact: a\n")
    assert stated(tmp_path).commit is None  # no checkout at all
    git("init", "-q")
    assert stated(tmp_path).commit is None
    git("add", "card.yaml")
    assert stated(tmp_path).commit is None
    git("commit", "-q", "-m", "state it")
    commit = stated(tmp_path).commit
    assert commit is not None and len(commit) == 40
    (tmp_path / "card.yaml").write_text("contact: b\n")
    assert stated(tmp_path).commit is None


def test_uncommitted_words_are_warned_of(run: ReleasedRun) -> None:
    (run.workspace.baselines / "planted" / "card.yaml").write_text("contact: a\n")
    assert any("not committed in git" in warning for warning in card(run).warnings)


def test_words_that_stand_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("contact: a\ncontact: b\n")
    with refused(ConfigError, "card.yaml:2", "contact"):
        stated(tmp_path)


def test_a_baseline_that_is_not_here_states_nothing_known(tmp_path: Path) -> None:
    assert stated(tmp_path / "gone").text("contact").startswith("not known")
    assert stated(tmp_path).text("contact") == "not stated"


def test_the_card_says_of_each_artefact_whether_it_was_released(tmp_path: Path) -> None:
    exports = {TFLITE_INT8: Verdict.PASS, TFJS: Verdict.FAIL}
    made = card(released(tmp_path, exports=exports))
    (table,) = section(made, "Exported artefacts").tables
    shown = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["artefact"], row["runtime"], row["released"]) for row in shown] == [
        (TFLITE_INT8, "tflite", "yes"),
        (TFJS, "chromium_wasm", "no"),
        (TFJS, "node_wasm", "no"),
    ]
    assert not [
        s for s in card(released(tmp_path / "plain")).sections if s.title == "Exported artefacts"
    ]
