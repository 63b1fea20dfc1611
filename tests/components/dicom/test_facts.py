import io
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from components.dicom.admission import Admission
from components.dicom.facts import (
    FileFacts,
    begins_as_dicom,
    facts_of,
    identifies,
    parse_dataset,
    refuse_identifiers,
    why_left_out,
)
from components.dicom.pseudonyms import Pseudonyms
from components.records.errors import SourceError
from tests.components.dicom.archives import (
    CR,
    PRESENTATION_STATE,
    SECONDARY_CAPTURE,
    STRUCTURED_REPORT,
    radiograph,
)
from tests.refusing import refused

HASHES = Pseudonyms(b"a secret of this site")
DEFAULT = Admission()


def facts(admission: Admission = DEFAULT, **elements: Any) -> FileFacts:
    return facts_of(radiograph(1, **elements), HASHES, admission)


def stored(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("elements", "other"),
    [
        ({"SOPClassUID": SECONDARY_CAPTURE}, "secondary capture"),
        ({"SOPClassUID": STRUCTURED_REPORT}, "structured report"),
        ({"SOPClassUID": PRESENTATION_STATE}, "presentation state"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1"}, "unprocessed image (for processing)"),
        ({"ImageType": ["DERIVED", "SECONDARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screenshot"),
        ({"NumberOfFrames": 2}, "multi-frame image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1", "Rows": None}, "no picture"),
    ],
)
def test_what_is_no_radiograph_is_named(elements: dict[str, Any], other: str) -> None:
    assert facts(**elements).other == other


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({}, ""),
        ({"SOPClassUID": CR, "Modality": "CR", "ViewPosition": "AP"}, ""),
        ({"Modality": "MG"}, "modality MG"),
        ({"BodyPartExamined": "HAND"}, "body part HAND"),
        ({"BodyPartExamined": None}, "no body part"),
        ({"ViewPosition": "LL"}, "view LL"),
        ({"ViewPosition": ""}, "no view"),
        ({"BodyPartExamined": "ROSSI MARIO"}, "body part of another kind"),
    ],
)
def test_only_chest_projections_are_admitted(elements: dict[str, Any], reason: str) -> None:
    assert why_left_out(facts(**elements), DEFAULT) == reason


def test_settings_admit_what_lacks_a_body_part_and_other_views() -> None:
    admission = Admission(body_parts=("CHEST", "ABSENT"), views=("PA", "LL"))
    found = facts(admission, BodyPartExamined=None, ViewPosition="LL")
    assert why_left_out(found, admission) == ""
    assert why_left_out(facts(admission, ViewPosition="AP"), admission) == "view AP"


def test_ids_are_hashes_of_each_kind() -> None:
    dataset = radiograph(1)
    found = facts()
    assert found.case_id == HASHES.of("case", dataset.SOPInstanceUID)
    assert found.patient_id == HASHES.of("patient", "MRN00001")
    assert found.accession == HASHES.of("accession", "ACC00001")


def test_one_number_of_two_hospitals_is_two_patients() -> None:
    assert facts(IssuerOfPatientID="A").patient_id != facts(IssuerOfPatientID="B").patient_id


def test_a_file_without_a_patient_has_none() -> None:
    assert facts(PatientID="", IssuerOfPatientID="A").patient_id == ""


@pytest.mark.parametrize(
    ("elements", "band"),
    [
        ({"PatientAge": "045Y"}, "40-49"),
        ({"PatientAge": "011M"}, "0-9"),
        ({"PatientAge": "089Y"}, "80-89"),
        ({"PatientAge": "090Y"}, "90+"),
        ({"PatientAge": "104Y"}, "90+"),
        ({"PatientBirthDate": "19640103", "StudyDate": "20240102"}, "50-59"),
        ({"PatientBirthDate": "19640102", "StudyDate": "20240102"}, "60-69"),
        ({"PatientBirthDate": None}, None),
        ({"PatientBirthDate": "20250101"}, None),
    ],
)
def test_ages_are_decades(elements: dict[str, Any], band: str | None) -> None:
    assert facts(**elements).attributes.get("age_band") == band


def test_attributes_are_those_of_the_list_and_what_is_named() -> None:
    expected = {
        "age_band": "60-69",
        "view": "PA",
        "manufacturer": "Acme",
        "device": "Ray 2",
        "sex": "F",
    }
    elements = {"InstitutionName": "St. Mary", "StationName": "X1"}
    assert facts(**elements).attributes == expected
    named = facts(Admission(attributes=("StationName",)), **elements).attributes
    assert named == {**expected, "StationName": "X1"}


@pytest.mark.parametrize(
    "keyword", ["PatientID", "PatientName", "StudyDate", "SOPInstanceUID", "AccessionNumber"]
)
def test_an_identifier_is_no_attribute(keyword: str) -> None:
    with refused(SourceError, keyword):
        refuse_identifiers([keyword])


@pytest.mark.parametrize("value", ["Acme for Rossi", "MRN00001", "born 19611104"])
def test_an_attribute_that_holds_the_patient_is_left_out(value: str) -> None:
    assert "manufacturer" not in facts(Manufacturer=value).attributes


def test_a_fault_does_not_quote_the_patient() -> None:
    fault = facts(PhotometricInterpretation="ROSSI", PatientName="Rossi").fault
    assert fault
    assert "rossi" not in fault.casefold()


@pytest.mark.parametrize(
    ("word", "does"),
    [
        ("PatientID", True),
        ("00100020", True),
        ("00100010", True),
        ("StudyInstanceUID", True),
        ("Modality", False),
        ("PatientSex", False),
        ("StudyDate", False),
        ("limit", False),
    ],
)
def test_what_identifies(word: str, does: bool) -> None:
    assert identifies(word) is does


def test_a_file_is_dicom_by_its_preamble_or_by_what_is_in_it() -> None:
    content = stored(radiograph(1))
    found = parse_dataset(io.BytesIO(content), pixels=False)
    assert found is not None and "PixelData" not in found
    dataset = radiograph(1)
    dataset.preamble, dataset.file_meta = None, FileMetaDataset()
    bare = io.BytesIO()
    dataset.save_as(bare, implicit_vr=True, little_endian=True)
    bare.seek(0)
    found = parse_dataset(bare, pixels=True)
    assert found is not None and found.PatientID == "MRN00001"


@pytest.mark.parametrize("content", [b"", b"PNG", b"\x08\x00 text that only begins so" * 9])
def test_other_files_are_no_dicom(content: bytes) -> None:
    assert parse_dataset(io.BytesIO(content), pixels=False) is None


def test_a_damaged_file_is_refused_without_its_words() -> None:
    content = stored(radiograph(1, PatientName="Rossi"))
    assert begins_as_dicom(content[:132])
    with refused(SourceError, "damaged") as caught:
        parse_dataset(io.BytesIO(content[:150]), pixels=False)
    assert "Rossi" not in str(caught.value)


def test_a_header_that_ends_early_is_a_fault_and_not_left_out() -> None:
    content = stored(radiograph(1))
    cut = content.index(b"CHEST")
    dataset = parse_dataset(io.BytesIO(content[:cut]), pixels=False)
    assert dataset is not None
    found = facts_of(dataset, HASHES, DEFAULT)
    assert (found.other, why_left_out(found, DEFAULT), bool(found.fault)) == ("", "", True)
