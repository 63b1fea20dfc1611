"""What a stream says of itself is held against the header, without decoding it."""

import dataclasses

import numpy as np
import pytest

from components.dicom.codestream import (
    JPEG_2000,
    JPEG_LS,
    LOSSLESS_JPEG,
    Stream,
    check_stream,
)
from components.dicom.header import Header, Word
from components.records.errors import SourceError
from tests.dicom_files import ENCODERS

HEADER = Header(rows=32, columns=48, word=Word(16, 12, 0, False), inverted=False)
CODINGS = {"57": LOSSLESS_JPEG, "80": JPEG_LS, "90": JPEG_2000}


def stream(kind: str) -> bytes:
    values = np.arange(32 * 48).reshape(32, 48)
    syntax = f"1.2.840.10008.1.2.4.{kind}"
    return ENCODERS[syntax](values, 12, False, syntax).rstrip(b"\0")


@pytest.mark.parametrize("kind", CODINGS)
def test_a_stream_says_its_size_and_how_it_is_coded(kind: str) -> None:
    got = check_stream(stream(kind), HEADER)
    # GDCM writes the bits that are allocated, pyjpegls those that the greatest value needs.
    assert got == Stream(CODINGS[kind], 32, 48, 1, {"57": 16, "80": 11, "90": 12}[kind])


@pytest.mark.parametrize("kind", CODINGS)
def test_a_byte_that_fills_up_is_no_second_frame(kind: str) -> None:
    for fill in (b"", b"\0", b"\xff"):
        check_stream(stream(kind) + fill, HEADER)


@pytest.mark.parametrize("kind", CODINGS)
def test_no_end_a_second_stream_and_anything_else_after_it_are_refused(kind: str) -> None:
    whole = stream(kind)
    for changed in (
        whole[:-2],
        whole + whole,
        whole + b"\0" + whole,
        whole + b"more",
        b"",
        b"\xff",
    ):
        with pytest.raises(SourceError, match="PixelData"):
            check_stream(changed, HEADER)


@pytest.mark.parametrize("kind", CODINGS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 48, "columns": 32}, "Rows 48 in the header, but 32"),
        ({"columns": 47}, "Columns 47 in the header, but 48"),
        ({"word": Word(8, 8, 0, False)}, "BitsAllocated 8"),
    ],
)
def test_another_size_and_other_bits_than_the_headers_are_refused(
    kind: str, change: dict, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        check_stream(stream(kind), dataclasses.replace(HEADER, **change))


def test_a_jpeg_without_frame_header_is_refused() -> None:
    with pytest.raises(SourceError, match="frame header"):
        check_stream(b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xd9", HEADER)
