"""What a DICOM header says of its picture, and every contradiction that makes it unusable.

A header that contradicts itself is read in one way by one viewer and in another by the next, and
nobody can tell what the radiologist saw: it is refused. The rules are those of DICOM PS3.3 C.7.6.3
(Image Pixel), C.8.11.3 (DX Image) and C.11 (look-up tables and windows):

- IDENTITY shall be used with MONOCHROME2 and INVERSE with MONOCHROME1. Of a file that has them the
  other way round, some viewers follow the one attribute and some the other, so both are refused.
- MONOCHROME1 without PresentationLUTShape, as in a CR, is shown inverted.
- Overlays are not drawn, and padding (PixelPaddingValue) is a stored value like any other.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.records.case import MAX_PIXELS, MIN_SIDE
from components.records.errors import SourceError

if TYPE_CHECKING:
    from pydicom import Dataset

_SHAPES = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}
_ALLOCATED = (8, 16)


@dataclass(frozen=True)
class Word:
    """Where the bits of a stored value lie in the word that holds it.

    Attributes:
      allocated: bits of the word, 8 or 16.
      stored: bits of the value, 1 to `allocated`.
      shift: unused bits below the value.
      signed: the value is a two's complement.
    """

    allocated: int
    stored: int
    shift: int
    signed: bool

    @property
    def lowest(self) -> int:
        """The least value that may be stored."""
        return -(1 << (self.stored - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The greatest value that may be stored."""
        return self.lowest + (1 << self.stored) - 1


@dataclass(frozen=True)
class Header:
    """The picture's size in pixels, its words, and whether low values are bright (MONOCHROME1)."""

    rows: int
    columns: int
    word: Word
    inverted: bool


def parse_header(dataset: "Dataset") -> Header:
    """What the header says of the picture.

    Raises:
      SourceError: what is missing, not supported or contradictory, in one line.
    """
    photometric = text(dataset, "PhotometricInterpretation")
    if photometric not in _SHAPES:
        raise SourceError(
            f"PhotometricInterpretation {photometric or 'is missing'}; a radiograph has "
            "MONOCHROME1 or MONOCHROME2"
        )
    for keyword, wanted in (("SamplesPerPixel", 1), ("NumberOfFrames", 1)):
        got = integer(dataset, keyword, wanted)
        if got != wanted:
            raise SourceError(f"{keyword} {got}; wanted {wanted}")
    if dataset.get("SharedFunctionalGroupsSequence"):
        raise SourceError("functional groups, as of an enhanced object; wanted one plain picture")
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    if min(rows, columns) < MIN_SIDE:
        raise SourceError(f"{columns} x {rows}: smaller than {MIN_SIDE} x {MIN_SIDE}")
    if rows * columns > MAX_PIXELS:
        raise SourceError(f"{columns} x {rows}: more than {MAX_PIXELS:,} pixels")
    _check_shape(dataset, photometric)
    return Header(rows, columns, _word(dataset), photometric == "MONOCHROME1")


def integer(dataset: "Dataset", keyword: str, default: int | None = None) -> int:
    """An attribute that holds one integer; where it is absent the default, if there is one.

    Raises:
      SourceError: it is missing, or is not one integer.
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        if default is None:
            raise SourceError(f"{keyword} is missing")
        return default
    if not isinstance(value, int):
        raise SourceError(f"{keyword} is {value}; wanted one integer")
    return int(value)


def numbers(dataset: "Dataset", keyword: str) -> tuple[float, ...]:
    """The finite numbers of an attribute; none where it is absent or empty.

    Raises:
      SourceError: one is not a finite number.
    """
    value: Any = dataset.get(keyword)
    if value is None or value == "":
        return ()
    try:
        several = tuple(float(one) for one in (value if hasattr(value, "__iter__") else (value,)))
    except (TypeError, ValueError):
        raise SourceError(f"{keyword} is {value}; wanted numbers") from None
    if not all(map(math.isfinite, several)):
        raise SourceError(f"{keyword} is {value}; wanted finite numbers")
    return several


def text(dataset: "Dataset", keyword: str) -> str:
    """An attribute's code word in capitals; empty where it is absent."""
    return str(dataset.get(keyword) or "").strip().upper()


def _check_shape(dataset: "Dataset", photometric: str) -> None:
    shape = text(dataset, "PresentationLUTShape")
    if shape and shape != _SHAPES[photometric]:
        raise SourceError(
            f"PresentationLUTShape {shape} contradicts {photometric}, which has "
            f"{_SHAPES[photometric]}: it is unknown whether the picture is inverted"
        )
    if dataset.get("PresentationLUTSequence"):
        raise SourceError("a PresentationLUTSequence; an image has a PresentationLUTShape or none")
    aspect = numbers(dataset, "PixelAspectRatio")
    if aspect and (len(aspect) != 2 or aspect[0] != aspect[1]):
        raise SourceError(f"PixelAspectRatio {dataset.PixelAspectRatio}: pixels are not square")


def _word(dataset: "Dataset") -> Word:
    allocated, stored, high = (
        integer(dataset, keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit")
    )
    if allocated not in _ALLOCATED:
        raise SourceError(f"BitsAllocated {allocated}; wanted 8 or 16")
    if not 1 <= stored <= allocated:
        raise SourceError(f"BitsStored {stored}; wanted 1 to BitsAllocated, which is {allocated}")
    if not stored - 1 <= high < allocated:
        raise SourceError(
            f"HighBit {high}; wanted {stored - 1} to {allocated - 1} for BitsStored {stored}"
        )
    representation = integer(dataset, "PixelRepresentation")
    if representation not in (0, 1):
        raise SourceError(f"PixelRepresentation {representation}; wanted 0 or 1")
    return Word(allocated, stored, high + 1 - stored, representation == 1)
