"""What a model says of one radiograph, and the unique ids of what is made of it.

The ids are derived from the picture's and the model's, so whoever makes a report again, after a
crash or on another machine, makes the same one, and an archive keeps it once.
"""

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

_WANTED = """
    PatientID PatientName PatientBirthDate PatientSex AccessionNumber StudyID StudyDate StudyTime
    ReferringPhysicianName
"""
_KEPT = """
    SpecificCharacterSet TimezoneOffsetFromUTC IssuerOfPatientID StudyDescription StudyInstanceUID
    SeriesInstanceUID SOPClassUID SOPInstanceUID Modality BodyPartExamined Rows Columns
    PatientOrientation ImagerPixelSpacing FrameOfReferenceUID LossyImageCompression
    LossyImageCompressionRatio LossyImageCompressionMethod
"""
SOFTWARE = "casegate"
NO_DEVICE = "not a medical device"
WARNING = "Made by software that is not a medical device. Not for diagnosis. Not verified."


@dataclass(frozen=True)
class CodedWord:
    """A concept of a coding scheme, such as 233604007 of SCT, which means Pneumonia."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What a released model says of one radiograph.

    Attributes:
      finding: what the model looks for.
      probability, operating_point: in [0, 1].
      positive: the decision that the model gave.
      heat: float32 (h, w) in [0, 1].
      model, version, sha256: the release, as the serving folder has it.
      software: version of this software.
    """

    finding: CodedWord
    probability: float
    operating_point: float
    positive: bool
    heat: np.ndarray
    model: str
    version: int
    sha256: str
    software: str

    @property
    def called(self) -> str:
        return "positive" if self.positive else "negative"

    @property
    def sentence(self) -> str:
        """What is said of the picture, as a person reads it."""
        return (
            f"{self.finding.meaning}: called {self.called.upper()}, probability "
            f"{self.probability:.4f} (positive from {self.operating_point:.4f} on)."
        )

    @property
    def by(self) -> str:
        """Which software said it."""
        return (
            f"By {self.model} {self.version} (SHA-256 {self.sha256[:16]}), {SOFTWARE} "
            f"{self.software}"
        )

    def placed(self, what: str, number: int, instance: str) -> dict[str, Any]:
        """In which series it stands, and made by what: elements of two modules of DICOM's."""
        return {
            "series_instance_uid": derived_uid("casegate series", what, instance, self.sha256),
            "series_number": number,
            "series_description": f"AI {what} ({NO_DEVICE})",
            "instance_number": 1,
            "manufacturer": SOFTWARE,
            "manufacturer_model_name": f"{self.model[:30]} ({NO_DEVICE})",
            "device_serial_number": self.sha256,
            "software_versions": f"{SOFTWARE} {self.software[:12]}, {self.version}",
        }


def header_of(source: "Dataset") -> "Dataset":
    """What is made of a picture takes over this of it, empty where it has to be and is absent.

    No more than this: what is wrong in another element of the source is not repeated.
    """
    from pydicom import Dataset

    header = Dataset()
    for keyword in (*_WANTED.split(), *_KEPT.split()):
        if keyword in source:
            header[keyword] = source[keyword]
        elif keyword in _WANTED.split():
            setattr(header, keyword, "")
    return header


def derived_uid(*sources: str) -> str:
    """A unique id below 2.25 that is the same for the same sources."""
    digest = hashlib.sha256("\0".join(sources).encode("utf-8", "surrogateescape")).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def report_uid(instance: str, model_sha256: str) -> str:
    """Of the report on the picture with this SOPInstanceUID by this model."""
    return derived_uid("casegate report", instance, model_sha256)


def picture_uid(instance: str, model_sha256: str) -> str:
    """Of the picture with the overlay."""
    return derived_uid("casegate picture", instance, model_sha256)


def tracking_uid(instance: str) -> str:
    """Of the finding in this picture, whoever speaks of it: a model, its successor or a reader."""
    return derived_uid("casegate finding", instance)
