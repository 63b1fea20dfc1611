"""What encoded pixel data say of themselves, held against the header before a decoder sees them.

A decoder takes the size from its data, and the header's is then laid over the samples: where rows
and columns are swapped, the count is right and the picture is scrambled. GDCM fills up what is
missing at the end. So size, channels, bits and the end are checked here.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.dicom.header import Header
from components.records.errors import SourceError

if TYPE_CHECKING:
    from pydicom import Dataset

_JPEG_BEGIN, _JPEG_2000_BEGIN = b"\xff\xd8\xff", b"\xff\x4f\xff\x51"
_END = b"\xff\xd9"  # of a JPEG, JPEG-LS and JPEG 2000 stream alike
_FILL = b"\0\xff"  # what writers have made an odd length even with
_ANOTHER = re.compile(rb"\xff\xd9[\0\xff]?(?:\xff\xd8\xff|\xff\x4f\xff\x51)")
_NOT_FRAMES = (0xC4, 0xC8, 0xCC)  # markers among those of a JPEG frame, C0 to CF, that are none
LOSSY_JPEG = (0xC0, 0xC1, 0xC2)
LOSSLESS_JPEG, JPEG_LS, JPEG_2000 = 0xC3, 0xF7, 0x51


@dataclass(frozen=True)
class Stream:
    """What the encoded data say: how they are coded, size in pixels, channels, bits of a sample.

    Attributes:
      coding: the second byte of the marker that says so, C0 to CF for JPEG.
    """

    coding: int
    rows: int
    columns: int
    channels: int
    bits: int


def read_frame(dataset: "Dataset") -> bytes:
    """The encoded data of the only frame, without what pads them.

    Raises:
      SourceError: the data are of more than one frame.
      ValueError: the fragments are damaged.
    """
    from pydicom.encaps import generate_fragments, parse_basic_offsets

    offsets = parse_basic_offsets(dataset.PixelData)
    _, *fragments = generate_fragments(dataset.PixelData)
    if len(offsets) > 1:
        raise SourceError(f"PixelData has {len(offsets)} frames; wanted 1")
    return b"".join(fragments)


def check_stream(frame: bytes, header: Header) -> Stream:
    """Holds a JPEG, JPEG-LS or JPEG 2000 stream against the header.

    Raises:
      SourceError: it is none, is cut off or followed by more, or contradicts the header.
    """
    if frame.startswith(_JPEG_BEGIN):
        stream = _jpeg(frame)
    elif frame.startswith(_JPEG_2000_BEGIN):
        stream = _jpeg_2000(frame)
    else:
        raise SourceError(f"PixelData begin with {frame[:4].hex()}, which no JPEG stream does")
    if not frame.rstrip(_FILL).endswith(_END):
        raise SourceError("PixelData have no end marker: the JPEG stream is cut off")
    if _ANOTHER.search(frame):
        raise SourceError("PixelData go on after the end of the JPEG stream; wanted one frame")
    for name, got, wanted in (
        ("Rows", stream.rows, header.rows),
        ("Columns", stream.columns, header.columns),
        ("SamplesPerPixel", stream.channels, 1),
    ):
        if got != wanted:
            raise SourceError(f"{name} {wanted} in the header, but {got} in the JPEG stream")
    word = header.word
    # With fewer bits than stored it would be unknown which of them is the sign.
    if stream.bits > word.allocated or (word.signed and stream.bits < word.stored):
        raise SourceError(
            f"BitsStored {word.stored} and BitsAllocated {word.allocated} in the header, but "
            f"{stream.bits} bits in the JPEG stream"
        )
    return stream


def _jpeg(frame: bytes) -> Stream:
    """The frame header of a JPEG or JPEG-LS stream."""
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES):
            rows, columns = (
                int.from_bytes(frame[at + part : at + part + 2], "big") for part in (5, 7)
            )
            return Stream(marker, rows, columns, frame[at + 9], frame[at + 4])
        else:
            at += 2 + length
    raise SourceError("PixelData are a JPEG stream without a frame header")


def _jpeg_2000(frame: bytes) -> Stream:
    """The image size marker of a JPEG 2000 stream."""
    if len(frame) < 43:
        raise SourceError("PixelData end early: the JPEG 2000 stream has no size")
    right, bottom, left, top = (int.from_bytes(frame[at : at + 4], "big") for at in (8, 12, 16, 20))
    channels, depth = int.from_bytes(frame[40:42], "big"), frame[42]
    return Stream(JPEG_2000, bottom - top, right - left, channels, (depth & 0x7F) + 1)
