from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.lineage.training import TrainingRow, write_manifest
from components.records.errors import IntegrityError
from pipeline.feedback import planning
from pipeline.feedback.planning import find_judging_cases, find_training_cases
from pipeline.settings.baselines import SHIPPED_BASELINES
from pipeline.settings.config import load_config
from tests.pipeline.feedback.making import Clinic, folder
from tests.refusing import refused

TRAINED = TrainingRow("trained", "patient-trained", 1, "ab" * 32, "cd" * 32, split="train")


def add_case_set(clinic: Clinic, name: str) -> Path:
    """A case set of two cases in the workspace, by its own source."""
    rows = [
        clinic.row(f"{name}-{split}-{i}", split, i % 2)
        for split in ("train", "tune", "test")
        for i in range(2)
    ]
    folder(clinic.root / name, rows)
    path = clinic.workspace.baselines / name / "case_set.json"
    lock_source(open_source(str(clinic.root / name)), path, author="A", reason="r")
    return path


def test_pictures_of_every_case_set_are_known_and_patients_of_those_that_judge(
    clinic: Clinic,
) -> None:
    add_case_set(clinic, "development")
    add_case_set(clinic, "another")
    source = f"data.source={clinic.spans}/span-{{SPAN:4}}"
    settings = [source, f"case_set.source={clinic.locked}", "ci.baseline=development"]
    case_set, known = find_judging_cases(load_config(None, settings), clinic.workspace)
    assert case_set.parent.name == "locked"
    assert len(known.pixels) == len(known.bytes) == 6
    assert known.patients == {
        f"patient-{name}{i}" for name in ("test-", "development-test-") for i in range(2)
    }


def test_pictures_of_shipped_case_sets_are_known(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SHIPPED_BASELINES", SHIPPED_BASELINES)
    shipped = load_case_set(SHIPPED_BASELINES / "pneumoniamnist" / "case_set.json")
    _, found = find_judging_cases(clinic.config, clinic.workspace)
    assert {case.pixels_sha256 for case in shipped.cases} <= found.pixels
    assert not {case.patient_id for case in shipped.cases} & found.patients


def test_spans_that_no_run_read_yet_are_read(clinic: Clinic) -> None:
    known, split_of = find_training_cases(clinic.config, clinic.workspace)
    assert known.case_ids == {f"old-{i}" for i in range(4)}
    assert len(known.pixels) == len(known.bytes) == 4
    assert split_of == {f"patient-old-{i}": "train" for i in range(4)}


def test_what_runs_trained_on_is_known_from_their_manifests(clinic: Clinic) -> None:
    write_manifest([TRAINED], clinic.workspace.training)
    found, _ = find_training_cases(clinic.config, clinic.workspace)
    assert "trained" in found.case_ids and "patient-trained" in found.patients
    assert "cd" * 32 in found.pixels and "ab" * 32 in found.bytes


def test_a_manifest_that_was_altered_is_not_believed(clinic: Clinic) -> None:
    path = write_manifest([TRAINED], clinic.workspace.training).path
    path.write_bytes(path.read_bytes().replace(b"patient-trained", b"patient-another"))
    with refused(IntegrityError, ".jsonl: ", "Merkle root"):
        find_training_cases(clinic.config, clinic.workspace)


def test_images_that_a_run_read_are_not_decoded_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = find_training_cases(clinic.config, clinic.workspace)
    rows = [
        TrainingRow(f"old-{i}", "p", 1, encoded, f"{i}" * 64, split="train")
        for i, encoded in enumerate(sorted(first.bytes))
    ]
    write_manifest(rows, clinic.workspace.training)
    monkeypatch.setattr(planning, "read_image_file", None)
    assert find_training_cases(clinic.config, clinic.workspace)[0].bytes == first.bytes
