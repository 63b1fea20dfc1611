"""What a DICOM file says of itself, without whom it is of.

Only what stands here leaves a data set: keyed hashes, words of fixed lists, and attributes of an
allow-list. pydicom's warnings and errors quote values, so they are never passed on.
"""

import functools
import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword

from components.dicom.admission import ABSENT, Admission
from components.dicom.files import PREAMBLE, begins_as_dicom, has_preamble
from components.dicom.pixels import why_unreadable
from components.dicom.pseudonyms import Pseudonyms
from components.records.errors import SourceError, suggestion
from components.records.text import printable

# Of a case: its attribute, and the element that it is.
ATTRIBUTES: Mapping[str, str] = {
    "manufacturer": "Manufacturer",
    "device": "ManufacturerModelName",
    "sex": "PatientSex",
}
KEYS = ("SOPInstanceUID", "StudyInstanceUID", "AccessionNumber")
_DAMAGED = "begins as DICOM does, and is damaged; copy it again"
_STORAGE = "1.2.840.10008.5.1.4.1.1."  # UIDs of what is stored begin so
_DIRECTORY = "1.2.840.10008.1.3.10"
# Words in the keyword of a SOP class that tell what is no radiograph.
_OTHERS = {
    "SecondaryCapture": "secondary capture",
    "PresentationState": "presentation state",
    "SRStorage": "structured report",
    "ForProcessing": "unprocessed image (for processing)",
    "MediaStorageDirectory": "DICOMDIR",
}
_IMAGE_TYPES = {"LOCALIZER": "localizer", "SCREEN SAVE": "screenshot", "SCREENSHOT": "screenshot"}
# What names a patient, beside names, dates and unique ids; after DICOM PS3.15, table E.1-1.
_IDENTIFYING = """
    AccessionNumber AdmissionID ConfidentialityCode CountryOfResidence CurrentPatientLocation
    FillerOrderNumberImagingServiceRequest InsurancePlanIdentification IssuerOfPatientID
    MedicalRecordLocator MilitaryRank Occupation OtherPatientIDs PatientAddress PatientAge PatientID
    PatientInstitutionResidence PatientReligiousPreference PatientTelephoneNumbers
    PlacerOrderNumberImagingServiceRequest RegionOfResidence RequestedProcedureID
    ScheduledProcedureStepID ServiceEpisodeID StudyID
"""
_OF_MANY = ("PatientSex", "PatientSize", "PatientWeight")  # of the patient, and no identifier
_PLAIN = ("CS", "DS", "IS", "LO", "SH", "US")  # kinds of values that may be an attribute
_MOST = 64  # characters of an attribute


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a DICOM file.

    Attributes:
      case_id, patient_id, study, accession: keyed hashes; empty where the file has none.
      other: what it is, if no picture that could be a case: "structured report"; else empty.
      modality, body_part, view: in capitals, where they are known words; empty where it has none.
      burned_in: it says that names may be burned into the picture.
      fault: why its pixels cannot be read; empty where they can.
      how: how the pixels are stored, in a few words.
      attributes: what to slice by.
    """

    case_id: str
    patient_id: str = ""
    study: str = ""
    accession: str = ""
    other: str = ""
    modality: str = ""
    body_part: str = ""
    view: str = ""
    burned_in: bool = False
    fault: str = ""
    how: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def why_left_out(facts: FileFacts, admission: Admission) -> str:
    """Why a file is no case, such as "view LL"; empty where it is admitted."""
    if facts.other:
        return facts.other
    for what, admitted, word in (
        ("modality", admission.modalities, facts.modality),
        ("body part", admission.body_parts, facts.body_part),
        ("view", admission.views, facts.view),
    ):
        if not word and facts.fault:
            continue  # a file that ends early lacks more than that
        if (word or ABSENT) not in admitted:
            return f"{what} {word}" if word else f"no {what}"
    return ""


def refuse_identifiers(keywords: Iterable[str]) -> None:
    """Refuses elements that identify a patient, or are nothing to slice by.

    Raises:
      SourceError: naming the first.
    """
    for keyword in keywords:
        if tag_for_keyword(keyword) is None:
            known = suggestion(keyword, ATTRIBUTES.values())
            hint = known if "did you mean" in known else "; wanted its keyword"
            raise SourceError(f"data.dicom.attributes: DICOM has no element '{keyword}'{hint}")
        if identifies(keyword) or dictionary_VR(keyword) not in _PLAIN:
            raise SourceError(
                f"data.dicom.attributes: '{keyword}' may identify a patient or is nothing to slice "
                "by; wanted short text or a number"
            )


def identifies(word: str) -> bool:
    """Whether a keyword, or a tag of eight digits, is of what identifies a patient."""
    if re.fullmatch("[0-9A-Fa-f]{8}", word):
        word = pydicom.datadict.keyword_for_tag(word) or "PatientID"
    tag = tag_for_keyword(word)
    if word in _OF_MANY:
        return False
    return tag is not None and (
        word in _IDENTIFYING.split() or tag >> 16 == 0x0010 or dictionary_VR(tag) in ("PN", "UI")
    )


def parse_dataset(stream: IO[bytes], *, pixels: bool) -> pydicom.Dataset | None:
    """The data set in a file; None where it is no DICOM.

    Raises:
      SourceError: it begins as DICOM does, and cannot be read.
    """
    keep_quiet()
    start = stream.read(PREAMBLE)
    if not begins_as_dicom(start):
        return None
    stream.seek(0)
    certain = has_preamble(start)
    try:
        dataset = pydicom.dcmread(stream, force=True, stop_before_pixels=not pixels)
        known = str(_text(dataset, "SOPClassUID") or dataset.file_meta.get(0x00020002, ""))
    except Exception:  # pydicom raises whatever the damage leads to, with the values in its words
        if certain:
            raise SourceError(_DAMAGED) from None
        return None
    if known.startswith((_STORAGE, _DIRECTORY)):
        return dataset
    if certain:
        raise SourceError(_DAMAGED)
    return None


def facts_of(dataset: pydicom.Dataset, pseudonyms: Pseudonyms, admission: Admission) -> FileFacts:
    """What a data set says of itself."""
    known = {name: _text(dataset, name) for name in (*KEYS, "PatientID", "IssuerOfPatientID")}
    case_id = pseudonyms.of("case", known["SOPInstanceUID"])
    other = _other(dataset)
    patient = "\\".join(filter(None, (known["IssuerOfPatientID"], known["PatientID"])))
    return FileFacts(
        case_id=case_id,
        patient_id=pseudonyms.of("patient", patient if known["PatientID"] else ""),
        study=pseudonyms.of("study", known["StudyInstanceUID"]),
        accession=pseudonyms.of("accession", known["AccessionNumber"]),
        other=other,
        modality=_word(dataset, "Modality", admission),
        body_part=_word(dataset, "BodyPartExamined", admission),
        view=_word(dataset, "ViewPosition", admission),
        burned_in=_text(dataset, "BurnedInAnnotation").upper() == "YES",
        fault="" if other else _fault(dataset, case_id),
        how="" if other else _stored(dataset),
        attributes={} if other else _attributes(dataset, admission),
    )


@functools.cache
def keep_quiet() -> None:
    """Silences what warns of values and addresses by quoting them: the log of a run is kept."""
    for name in ("pydicom", "dicomweb_client", "retrying", "highdicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom|highdicom|pynetdicom|components\.")


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    """An element's value as text, the first of several; empty where it is absent or unreadable."""
    try:
        value = dataset.get(keyword)
        if isinstance(value, pydicom.multival.MultiValue):
            value = value[0] if value else ""
    except Exception:
        return ""
    return "" if value is None else str(value).strip(" \0")


def _word(dataset: pydicom.Dataset, keyword: str, admission: Admission) -> str:
    word = _text(dataset, keyword).upper()
    return word if not word or word in admission.words else "of another kind"


def _other(dataset: pydicom.Dataset) -> str:
    sop_class = pydicom.uid.UID(
        _text(dataset, "SOPClassUID")
        or str(dataset.file_meta.get("MediaStorageSOPClassUID", "") or "")
    )
    for word, other in _OTHERS.items():
        if word in sop_class.keyword:
            return other
    kinds = {str(kind).upper() for kind in _values(dataset, "ImageType")}
    for kind in sorted(kinds & _IMAGE_TYPES.keys()):
        return _IMAGE_TYPES[kind]
    if not _text(dataset, "Rows") and "Image" not in sop_class.keyword:
        return "no picture"
    return "multi-frame image" if _text(dataset, "NumberOfFrames") not in ("", "0", "1") else ""


def _values(dataset: pydicom.Dataset, keyword: str) -> list[Any]:
    try:
        value = dataset.get(keyword)
    except Exception:
        return []
    return list(value) if isinstance(value, pydicom.multival.MultiValue) else [value]


def _fault(dataset: pydicom.Dataset, case_id: str) -> str:
    if not case_id:
        return "no SOPInstanceUID, so it has no id"
    fault = why_unreadable(dataset) or ""
    # Where a code word should stand, somebody may have typed a name.
    if any(word in fault.casefold() for word in _telling(dataset)):
        return "an element of its header has no such value as it should"
    return fault


def _stored(dataset: pydicom.Dataset) -> str:
    """Such as: MONOCHROME1, 15 of 16 bits, JPEG 2000."""
    found = [_text(dataset, name) for name in ("BitsStored", "BitsAllocated")]
    bits = " of ".join(number for number in found if number.isdecimal())
    photometric = _text(dataset, "PhotometricInterpretation")
    grey = photometric if photometric in ("MONOCHROME1", "MONOCHROME2") else "no grey image"
    syntax = pydicom.uid.UID(str(dataset.file_meta.get("TransferSyntaxUID", "") or ""))
    name = syntax.name if syntax in pydicom.uid.UID_dictionary else "unknown transfer syntax"
    plain = syntax.is_transfer_syntax and not syntax.is_compressed
    return f"{grey}, {bits} bits, {'uncompressed' if plain else name}"


def _attributes(dataset: pydicom.Dataset, admission: Admission) -> dict[str, str]:
    wanted = {**ATTRIBUTES, **{name: name for name in admission.attributes}}
    telling = tuple(_telling(dataset))
    found = {"age_band": _age_band(dataset), "view": _word(dataset, "ViewPosition", admission)}
    for name, keyword in wanted.items():
        value = " ".join(printable(_text(dataset, keyword)).split())[:_MOST]
        # Somebody may have typed a name into any element.
        if not any(word in value.casefold() for word in telling):
            found[name] = value
    if found.get("sex") not in ("M", "F", "O"):
        found["sex"] = ""
    return {name: value for name, value in found.items() if value}


def _telling(dataset: pydicom.Dataset) -> Iterator[str]:
    """Words of this patient: parts of the name, ids, the date of birth."""
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "PatientBirthDate"):
        for word in re.split(r"[\^=\s,]+", _text(dataset, keyword).casefold()):
            if len(word) > 2:
                yield word


def _age_band(dataset: pydicom.Dataset) -> str:
    """A decade such as 40-49, and 90+ for all above, as the law of several countries wants."""
    years = _years(dataset)
    if years is None:
        return ""
    return "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def _years(dataset: pydicom.Dataset) -> int | None:
    if given := re.fullmatch(r"(\d{3})([DWMY])", _text(dataset, "PatientAge")):
        return int(given[1]) // {"D": 365, "W": 52, "M": 12, "Y": 1}[given[2]]
    born, taken = _text(dataset, "PatientBirthDate"), _text(dataset, "StudyDate")
    if not re.fullmatch(r"\d{8}", born) or not re.fullmatch(r"\d{8}", taken):
        return None
    years = (int(taken) - int(born)) // 10_000  # of two dates as numbers, the years between them
    return years if 0 <= years < 130 else None
