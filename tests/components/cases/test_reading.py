import pytest

from components.cases.reading import PLAIN, Reading, refuse_reading
from components.records.errors import SourceError
from tests.refusing import refused

SAID = Reading(
    labels=(("gesund", 0), ("krank", 1), ("unklar", None)),
    columns=(("patient", "SubjectID"),),
    ignore=("fold",),
    patient_pattern=r"(\d+)",
    tune_from_train=0.1,
)


def test_a_reading_comes_back_from_json() -> None:
    assert Reading.from_json(SAID.to_json()) == SAID
    assert Reading.from_json(PLAIN.to_json()) == PLAIN and not PLAIN.changed


def test_a_lock_keeps_what_says_how_a_case_is_read() -> None:
    kept = SAID.of_case_set()
    assert kept.labels == SAID.labels and kept.columns == SAID.columns
    assert kept.tune_from_train is None


def test_shares_are_of_the_patients_that_are_not_tested_on() -> None:
    assert SAID.shares() == {"tune": 0.1, "train": 0.9}
    whole = SAID.shares(test=True)
    assert whole == pytest.approx({"test": 0.2, "tune": 0.08, "train": 0.72})
    assert list(PLAIN.shares(test=True)) == ["test", "tune", "train"]


def test_data_without_names_take_nothing_that_is_said_of_names() -> None:
    refuse_reading("a.npz", PLAIN)
    with refused(SourceError, "a.npz", "labels"):
        refuse_reading("a.npz", SAID)
