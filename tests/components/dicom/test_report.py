"""Reports as others read them: dciodvfy finds no error, dsr2html shows a person what is said."""

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from components.dicom.report import read_answers, write_report
from components.dicom.result import report_uid, tracking_uid
from components.records.errors import SourceError
from tests.components.dicom.archives import CR, dciodvfy, read_dicom, write_dicom
from tests.foreign import answer, needs
from tests.pipeline.pacs.making import FIRST, PNEUMONIA, chest, model_result
from tests.refusing import refused


def real() -> Dataset:
    return read_dicom(Path(str(get_testdata_file("RG1_UNCI.dcm", download=False))))


SOURCES = {
    "a real CR": real,
    "DX": lambda: chest(1, ImagerPixelSpacing=[0.15, 0.15]),
    "CR": lambda: chest(2, SOPClassUID=CR, Modality="CR", PresentationIntentType=None),
    "of a name in Latin-1": lambda: chest(
        3, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg"
    ),
    "of a name in UTF-8": lambda: chest(
        4, SpecificCharacterSet="ISO_IR 192", PatientName="山田^太郎"
    ),
    "of little": lambda: chest(5, AccessionNumber=None, PatientBirthDate=None, StudyDate=None),
}


@pytest.mark.parametrize("name", SOURCES)
def test_dciodvfy_has_nothing_against_a_report(name: str, tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "report", write_report(SOURCES[name](), model_result()))
    assert dciodvfy(path) == []


def text_of(report: Dataset, tmp_path: Path) -> str:
    write_dicom(tmp_path / "report", report)
    return answer(needs("dsr2html", "dcmtk"), str(tmp_path / "report"))


def test_dsr2html_shows_what_by_which_software_from_where_on_and_that_it_is_no_device(
    tmp_path: Path,
) -> None:
    page = text_of(write_report(chest(1), model_result(probability=0.75)), tmp_path)
    for words in (
        "Pneumonia: called POSITIVE, probability 0.7500 (positive from 0.5000 on).",
        "By pneumonia 1 (SHA-256 aaaaaaaaaaaaaaaa), casegate 0.2.0.",
        "not a medical device",
        "UNVERIFIED",
        "PRELIMINARY",
        "operating point 0.5",
        FIRST,
    ):
        assert words in page, words


def items(item: Dataset) -> list[Dataset]:
    return [item, *(x for part in item.get("ContentSequence", ()) for x in items(part))]


@pytest.mark.parametrize(("probability", "word"), [(0.75, "Present"), (0.25, "Absent")])
def test_what_is_said_is_coded(probability: float, word: str) -> None:
    source = chest(1)
    report = write_report(source, model_result(probability=probability))
    found = {}
    for item in items(report)[1:]:
        name = item.ConceptNameCodeSequence[0]
        found[name.CodeValue, name.CodingSchemeDesignator] = item
    measured = found["122157", "DCM"].MeasuredValueSequence[0]
    assert float(measured.NumericValue) == probability
    presence = found["121052", "DCM"].ConceptCodeSequence[0]
    assert presence.CodeValue == getattr(codes.SCT, word).value
    assert found["121071", "DCM"].ConceptCodeSequence[0].CodeValue == "233604007"
    assert found["111003", "DCM"].TextValue == "1"
    assert tracking_uid(source.SOPInstanceUID) == found["112040", "DCM"].UID
    image = found["121112", "DCM"].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert (report.StudyInstanceUID, report.PatientID) == (
        source.StudyInstanceUID, source.PatientID
    )  # fmt: skip
    assert report.SOPInstanceUID == report_uid(source.SOPInstanceUID, FIRST)


def test_every_code_of_a_public_scheme_stands_in_pydicoms_table() -> None:
    from pydicom.sr._concepts_dict import concepts

    known = {
        (code, scheme)
        for scheme, names in concepts.items()
        for meanings in names.values()
        for code in meanings
    }
    # Pneumonia is the model's own and set by configuration; the language is of RFC 5646.
    known |= {("233604007", "SCT"), ("en-US", "RFC5646")}
    used = set()
    for item in items(write_report(chest(1), model_result()))[1:]:
        sequences = ("ConceptNameCodeSequence", "ConceptCodeSequence")
        for sequence in sequences:
            for code in item.get(sequence, ()):
                used.add((code.CodeValue, code.CodingSchemeDesignator))
    assert len(used) > 15
    assert used - known == set()


def test_a_header_that_allows_no_report_is_refused_without_its_values() -> None:
    with refused(SourceError, "no report can be made of its header") as error:
        write_report(chest(1, PatientSex="ROSSI"), model_result())
    assert "ROSSI" not in str(error.value)


def test_only_a_verified_answer_to_our_report_by_somebody_counts() -> None:
    report = write_report(chest(1), model_result())
    assert list(read_answers(report, PNEUMONIA)) == []
    report.VerificationFlag = "VERIFIED"
    assert list(read_answers(report, PNEUMONIA)) == []  # by nobody
    observer = Dataset()
    observer.VerifyingObserverName = "Bianchi^Anna"
    report.VerifyingObserverSequence = [observer]
    report.VerificationFlag = "UNVERIFIED"
    assert list(read_answers(report, PNEUMONIA)) == []
    report.VerificationFlag = "VERIFIED"
    (found,) = read_answers(report, PNEUMONIA)
    assert (found.label, found.by, found.instance) == (
        "positive", "Bianchi Anna", report_source(report)
    )  # fmt: skip
    for item in items(report)[1:]:
        if item.ConceptNameCodeSequence[0].CodeValue == "112040":
            item.UID = "1.2.3"  # speaks of something else
    assert list(read_answers(report, PNEUMONIA)) == []


def report_source(report: Dataset) -> str:
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
    return str(
        evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    )
