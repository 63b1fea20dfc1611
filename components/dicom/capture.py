"""A model's result as a secondary capture: the radiograph, and beside it its map."""

from typing import TYPE_CHECKING

import numpy as np

from components.dicom.facts import keep_quiet
from components.dicom.result import (
    NO_DEVICE,
    WARNING,
    ModelResult,
    header_of,
    picture_uid,
)
from components.pages.heat import draw_sheet, read_shown
from components.records.errors import SourceError

if TYPE_CHECKING:
    from pydicom import Dataset

SERIES = 9802
LARGEST = 1024  # pixels along a side of the radiograph
# What was lost by compression is lost in what is made of it, too.
_KEPT = (
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    *("BodyPartExamined", "TimezoneOffsetFromUTC"),
)


def write_picture(source: "Dataset", image: bytes, result: ModelResult) -> "Dataset":
    """A secondary capture on `source`, in its study.

    Args:
      image: the picture as the model got it, a PNG.

    Raises:
      SourceError: the source's header does not allow one.
    """
    keep_quiet()
    from highdicom.sc import SCImage
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    shown = read_shown(image, LARGEST)
    assert shown is not None  # it was made of the pixels
    source, instance = header_of(source), str(source.SOPInstanceUID)
    title = f"AI RESULT - {NO_DEVICE.upper()} - {result.finding.meaning}: {result.called.upper()}"
    words = (result.sentence, result.by, WARNING)
    try:
        picture = SCImage.from_ref_dataset(
            source,
            np.asarray(draw_sheet(shown, result.heat, words, title=title, scale=2)),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),  # wanted, and replaced below
            sop_instance_uid=picture_uid(instance, result.sha256),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            **result.placed("map", SERIES, instance),
        )
    except Exception as error:  # of many kinds, with the header's values in its words
        name = type(error).__name__
        raise SourceError(f"no picture can be made of its header ({name})") from None
    picture.PatientOrientation = source.get("PatientOrientation") or []
    picture.BurnedInAnnotation = "NO"
    for keyword in _KEPT:
        if keyword in source:
            picture[keyword] = source[keyword]
    origin = Dataset()
    origin.ReferencedSOPClassUID = source.SOPClassUID
    origin.ReferencedSOPInstanceUID = source.SOPInstanceUID
    origin.PurposeOfReferenceCodeSequence = [
        CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    ]
    picture.SourceImageSequence = [origin]
    picture.DerivationDescription = f"{WARNING} Map of the score over the radiograph."
    return picture
