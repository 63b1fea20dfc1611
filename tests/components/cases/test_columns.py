import pytest

from components.cases.columns import meaning, read_columns, refuse_split_words
from components.cases.reading import PLAIN, Reading
from components.records.errors import SourceError
from tests.refusing import refused


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (
            "patient",
            "subject subj mrn MRN pid person StudyID study_uid SubjectID PatientID patientid "
            "Patient AccessionNumber id ID uid participant case_subject Patientennummer exam_no",
        ),
        (
            "split",
            "fold set partition subset is_train isTrain cv_fold train Phase cvFold test holdout",
        ),
        (
            "label",
            "dx diagnosis Diagnosis target y class finding Finding ground_truth GroundTruth gt "
            "y_true pneumonia disease label_2 Befund outcome Finding_Labels",
        ),
    ],
)
def test_a_column_that_means_a_role_is_refused_until_named(role: str, names: str) -> None:
    for name in names.split():
        assert meaning(name) == role, name
        with refused(SourceError, "m.csv:1: ", f"'{name}'", "data.columns: {", "ignore: ["):
            read_columns("m.csv:1", ["path", "label", "patient_id", "split", name], PLAIN)


ATTRIBUTES = """
    site device age_band sex view aetiology origin span PatientAge Patient_Sex StudyDate device_id
    site_code hospital_id reader_id image_id ViewPosition manufacturer note
"""


@pytest.mark.parametrize("name", ATTRIBUTES.split())
def test_what_is_said_of_a_patient_is_an_attribute(name: str) -> None:
    assert read_columns("m.csv:1", ["path", "label", name], PLAIN) == ["path", "label", name]


@pytest.mark.parametrize("name", ["patientid", "Patient-ID", "splitt", "caseid"])
def test_a_misspelt_column_is_refused(name: str) -> None:
    with refused(SourceError, f"'{name}'"):
        read_columns("m.csv:1", ["path", "label", name], PLAIN)


def test_columns_are_read_as_a_person_says() -> None:
    reading = Reading(
        columns=(("path", "Image Index"), ("label", "dx"), ("patient", "SubjectID")),
        ignore=("fold",),
        attributes=("set",),
    )
    header = ["Image Index", "dx", "SubjectID", "fold", "set", "site"]
    read = ["path", "label", "patient_id", "", "set", "site"]
    assert read_columns("m.csv:1", header, reading) == read
    with refused(SourceError, "'SubjectID'", "data.columns.patient"):
        read_columns("m.csv:1", ["Image Index", "dx"], reading)
    own = ["path", "label", "patient_id"]
    assert read_columns("m.csv:1", own, reading) == own


def test_two_columns_are_never_one() -> None:
    reading = Reading(columns=(("patient", "mrn"),))
    with refused(SourceError, "'patient_id'", "ignore"):
        read_columns("m.csv:1", ["path", "label", "patient_id", "mrn"], reading)


def test_a_column_of_split_words_is_refused_whatever_it_is_called() -> None:
    with refused(SourceError, "'group'", "{split: 'group'}"):
        refuse_split_words("m.csv:1", {"site": {"north", "test"}, "group": {"training", "test"}})
    refuse_split_words("m.csv:1", {"site": {"north", "test"}, "empty": set()})
