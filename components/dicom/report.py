"""A model's result as a structured report (TID 1500), and a reader's answer to it, read back."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from components.dicom.facts import keep_quiet
from components.dicom.result import (
    NO_DEVICE,
    SOFTWARE,
    WARNING,
    CodedWord,
    ModelResult,
    derived_uid,
    header_of,
    report_uid,
    tracking_uid,
)
from components.records.errors import SourceError

if TYPE_CHECKING:
    from highdicom.sr import MeasurementReport
    from pydicom import Dataset

_DESCRIBED = ("ImagerPixelSpacing", "PatientOrientation")
_VERIFIERS = "VerifyingObserverSequence"
SERIES = 9801  # number of the series of reports, beyond those that devices count


def write_report(source: "Dataset", result: ModelResult) -> "Dataset":
    """A Comprehensive SR on `source`, in its study: preliminary and unverified.

    Raises:
      SourceError: the source's header does not allow one.
    """
    keep_quiet()
    from highdicom.sr import ComprehensiveSR

    source, instance = header_of(source), str(source.SOPInstanceUID)
    try:
        report = ComprehensiveSR(
            evidence=[source],
            content=_content(source, result),
            sop_instance_uid=report_uid(instance, result.sha256),
            is_complete=True,
            specific_character_set=source.get("SpecificCharacterSet"),
            **result.placed("result", SERIES, instance),
        )
    except Exception as error:  # of many kinds, with the header's values in its words
        raise SourceError(f"no report can be made of its header ({type(error).__name__})") from None
    report.PreliminaryFlag = "PRELIMINARY"
    return report


def _content(source: "Dataset", result: ModelResult) -> "MeasurementReport":
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=derived_uid("casegate model", result.sha256),
        name=f"{SOFTWARE}: {NO_DEVICE}",
        manufacturer_name=SOFTWARE,
        model_name=result.model,
        serial_number=result.sha256,
    )
    observer = sr.ObserverContext(codes.DCM.Device, device)
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=tracking_uid(str(source.SOPInstanceUID)), identifier=result.finding.meaning
        ),
        finding_type=sr.CodedConcept(*astuple(result.finding)),
        algorithm_id=sr.AlgorithmIdentification(
            name=result.model,
            version=str(result.version),
            parameters=[f"operating point {result.operating_point!r}", f"SHA-256 {result.sha256}"],
            manufacturer=f"{SOFTWARE} {result.software}: {NO_DEVICE}",
            family=codes.DCM.ComputerAidedDetection,
        ),
        measurements=[
            sr.Measurement(
                name=codes.DCM.Probability, value=result.probability, unit=codes.UCUM.NoUnits
            )
        ],
        qualitative_evaluations=[
            sr.QualitativeEvaluation(
                name=codes.DCM.PresenceOfProperty,
                value=codes.SCT.Present if result.positive else codes.SCT.Absent,
            )
        ],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(source)],
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.XRUnspecifiedBodyRegion,
        imaging_measurements=[group],
        # highdicom describes an image in the library by these two, and cannot without.
        referenced_images=[source] if all(source.get(word) for word in _DESCRIBED) else None,
    )
    report[0].ContentSequence.insert(
        -1,  # above the measurements
        sr.TextContentItem(
            name=codes.DCM.Comment,
            value=f"{result.sentence} {result.by}. {WARNING}",
            relationship_type=sr.RelationshipTypeValues.CONTAINS,
        ),
    )
    return report


@dataclass(frozen=True)
class ReaderAnswer:
    """What a reader says of a finding that a report spoke of.

    Attributes:
      instance: SOPInstanceUID of the picture.
      label: positive, negative or unsure.
      by: the verifying observer's name.
      document: SOPInstanceUID of the answer.
    """

    instance: str
    label: str
    by: str
    document: str


def read_answers(document: "Dataset", finding: CodedWord) -> Iterator[ReaderAnswer]:
    """The answers in a structured report: of a person who verified it, to a report of ours.

    None of a report that nobody verified, as ours are, or that speaks of something else.
    """
    from pydicom.sr.codedict import codes

    if document.get("VerificationFlag") != "VERIFIED":
        return
    labels = {
        _key(codes.SCT.Present): "positive",
        _key(codes.SCT.Absent): "negative",
        _key(codes.SCT.Undetermined): "unsure",
    }
    names = [str(one.get("VerifyingObserverName", "")) for one in document.get(_VERIFIERS, ())]
    by = " ".join(names[-1].replace("^", " ").split()) if names else ""
    for group in _groups(document, _key(codes.DCM.MeasurementGroup)):
        said = {_name(item): item for item in group.get("ContentSequence", ())}
        spoken = _value(said.get(_key(codes.DCM.Finding), {}))
        label = labels.get(_value(said.get(_key(codes.DCM.PresenceOfProperty), {})))
        tracked = said.get(_key(codes.DCM.TrackingUniqueIdentifier), {}).get("UID", "")
        source = said.get(_key(codes.DCM.SourceOfMeasurement), {}).get("ReferencedSOPSequence")
        instance = str(source[0].get("ReferencedSOPInstanceUID", "")) if source else ""
        ours = bool(instance) and tracked == tracking_uid(instance)
        if by and label and ours and spoken == (finding.value, finding.scheme):
            yield ReaderAnswer(instance, label, by, str(document.SOPInstanceUID))


def _groups(item: "Dataset", name: tuple[str, str]) -> Iterator["Dataset"]:
    for part in item.get("ContentSequence", ()):
        if _name(part) == name:
            yield part
        yield from _groups(part, name)


def _name(item: "Dataset") -> tuple[str, str]:
    return _key(*item.get("ConceptNameCodeSequence", ()))


def _value(item: Any) -> tuple[str, str]:
    return _key(*item.get("ConceptCodeSequence", ()))


def _key(*codes: Any) -> tuple[str, str]:
    """What tells a concept from another, of pydicom's table or of a file."""
    for code in codes:
        if hasattr(code, "scheme_designator"):
            return code.value, code.scheme_designator
        return str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))
    return "", ""
