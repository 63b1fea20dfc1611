"""Each contradiction in a header is refused by its name, and what is none is not."""

from typing import Any

import pytest
from pydicom import Dataset

from components.dicom.header import Word, parse_header
from components.records.errors import SourceError
from tests.dicom_files import plant

PICTURE = [[0, 1, 2], [3, 4, 5], [6, 7, 4095]]

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "colour": ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation RGB"),
    "brightness and colour": ({"PhotometricInterpretation": "YBR_FULL_422"}, "YBR_FULL_422"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    "no photometric": ({"PhotometricInterpretation": None}, "PhotometricInterpretation is missing"),
    "three samples": ({"SamplesPerPixel": 3}, "SamplesPerPixel 3"),
    "two frames": ({"NumberOfFrames": 2}, "NumberOfFrames 2"),
    "no frame": ({"NumberOfFrames": 0}, "NumberOfFrames 0"),
    "enhanced": ({"SharedFunctionalGroupsSequence": [Dataset()]}, "functional groups"),
    "no rows": ({"Rows": None}, "Rows is missing"),
    "no columns": ({"Columns": None}, "Columns is missing"),
    "two heights": ({"Rows": [3, 3]}, "Rows"),
    "narrow": ({"Columns": 2}, "smaller than 3 x 3"),
    "huge": ({"Rows": 65535, "Columns": 65535}, "more than 100,000,000 pixels"),
    "no bits allocated": ({"BitsAllocated": None}, "BitsAllocated is missing"),
    "32 bits": ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "BitsAllocated 32"),
    "one bit": ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "BitsAllocated 1"),
    "no bits stored": ({"BitsStored": None}, "BitsStored is missing"),
    "more stored than allocated": ({"BitsStored": 17}, "BitsStored 17"),
    "nothing stored": ({"BitsStored": 0}, "BitsStored 0"),
    "high bit outside": ({"HighBit": 16}, "HighBit 16"),
    "high bit too low": ({"HighBit": 10}, "HighBit 10"),
    "no high bit": ({"HighBit": None}, "HighBit is missing"),
    "no representation": ({"PixelRepresentation": None}, "PixelRepresentation is missing"),
    "unknown representation": ({"PixelRepresentation": 2}, "PixelRepresentation 2"),
    "bright and inverse": ({"PresentationLUTShape": "INVERSE"}, "contradicts MONOCHROME2"),
    "dark and identity": (
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
        "contradicts MONOCHROME1",
    ),
    "optical density": ({"PresentationLUTShape": "LIN OD"}, "PresentationLUTShape LIN OD"),
    "narrow pixels": ({"PixelAspectRatio": [4, 3]}, "PixelAspectRatio"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_contradiction_is_refused_by_its_name(name: str) -> None:
    changes, words = REFUSED[name]
    with pytest.raises(SourceError, match=words) as refused:
        parse_header(plant(PICTURE, **changes))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "", True),
    ],
)
def test_polarity_follows_the_photometric_interpretation(
    photometric: str, shape: str | None, inverted: bool
) -> None:
    changes = {} if shape is None else {"PresentationLUTShape": shape}
    header = parse_header(plant(PICTURE, PhotometricInterpretation=photometric, **changes))
    assert header.inverted is inverted


def test_size_and_bits_are_those_of_the_header() -> None:
    header = parse_header(plant(PICTURE + [[0, 0, 0]], stored=10, signed=True, HighBit=13))
    assert (header.rows, header.columns) == (4, 3)
    assert header.word == Word(allocated=16, stored=10, shift=4, signed=True)
    assert (header.word.lowest, header.word.highest) == (-512, 511)


def test_square_pixels_and_one_frame_may_be_stated() -> None:
    parse_header(plant(PICTURE, PixelAspectRatio=[1, 1], NumberOfFrames=1))
