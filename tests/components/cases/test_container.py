"""A file is whole, or it is said in which way it is not."""

import io

import numpy as np
import pytest
from PIL import Image

from components.cases.container import read_png, whole_jpeg, write_png
from components.cases.images import encode_png
from components.records.errors import SourceError
from tests.components.cases.habits import chunk, radiograph, with_chunk
from tests.components.cases.making import encoded
from tests.refusing import refused

GREY = radiograph()
PNG, JPEG = encoded(GREY), encoded(GREY, "JPEG")


def saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "samples", [GREY, GREY.astype(np.uint16) * 257, np.dstack([GREY, GREY, GREY // 2])]
)
def test_what_we_encode_is_plain(samples: np.ndarray) -> None:
    for image in (encode_png(samples), write_png(samples), write_png(samples, stored=True)):
        layout = read_png(image)
        assert (layout.plain, layout.metadata) == (True, False)
        assert layout.bit_depth == 8 * samples.dtype.itemsize
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(image))), samples)


@pytest.mark.parametrize(
    "image, metadata",
    [
        (with_chunk(PNG, b"tEXt", b"Comment\0exported"), True),
        (PNG[:-12] + chunk(b"eXIf", b"MM\0*") + PNG[-12:], True),
        (PNG + b"behind its end", False),
        (saved(Image.fromarray(GREY).convert("P")), True),
        (saved(Image.fromarray(GREY).convert("1")), False),
        (saved(Image.fromarray(GREY).convert("LA")), False),
    ],
)
def test_what_holds_more_or_other_than_its_samples_is_not_plain(
    image: bytes, metadata: bool
) -> None:
    layout = read_png(image)
    assert (layout.plain, layout.metadata) == (False, metadata)


def test_a_picture_in_several_pieces_is_plain() -> None:
    start, end = PNG.index(b"IDAT") + 4, PNG.index(b"IEND") - 8
    pieces = [PNG[start : start + 100], PNG[start + 100 : end]]
    divided = (
        PNG[: start - 8] + b"".join(chunk(b"IDAT", piece) for piece in pieces) + PNG[end + 4 :]
    )
    assert read_png(divided).plain


@pytest.mark.parametrize("place", [20, PNG.index(b"IDAT") + 50, len(PNG) - 1])
def test_one_changed_bit_is_seen_in_a_png(place: int) -> None:
    changed = bytearray(PNG)
    changed[place] ^= 1
    with pytest.raises(SourceError):
        read_png(bytes(changed))


def test_a_wrong_checksum_names_its_chunk() -> None:
    changed = bytearray(PNG)
    changed[PNG.index(b"IDAT") + 50] ^= 1
    with refused(SourceError, "IDAT"):
        read_png(bytes(changed))


def test_a_png_that_ends_anywhere_is_seen_to() -> None:
    for cut in range(1, len(PNG) - 8):
        with pytest.raises(SourceError):
            read_png(PNG[:-cut])


def test_a_jpeg_ends_where_its_picture_does() -> None:
    assert whole_jpeg(JPEG) == JPEG
    assert whole_jpeg(JPEG + encoded(GREY[::-1].copy(), "JPEG")) == JPEG
    assert whole_jpeg(JPEG[:-2]) == JPEG
    assert whole_jpeg(JPEG[:-1])[-2:] == JPEG[-2:]
    with refused(SourceError, "1,234 bytes"):
        whole_jpeg(JPEG + bytes(1234))


def test_an_end_within_a_segment_is_none() -> None:
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd8"
    assert whole_jpeg(JPEG[:2] + comment + JPEG[2:]) == JPEG[:2] + comment + JPEG[2:]


@pytest.mark.parametrize("frame", [3, 5, 6, 7, 11, 13, 14, 15])
def test_a_process_that_few_decoders_have_is_named(frame: int) -> None:
    other = JPEG.replace(b"\xff\xc0", bytes((0xFF, 0xC0 + frame)), 1)
    with refused(SourceError, f"SOF{frame}"):
        whole_jpeg(other)


@pytest.mark.parametrize("frame", [1, 2, 9, 10])
def test_the_processes_that_decoders_have_are_passed_on(frame: int) -> None:
    other = JPEG.replace(b"\xff\xc0", bytes((0xFF, 0xC0 + frame)), 1)
    assert whole_jpeg(other) == other
