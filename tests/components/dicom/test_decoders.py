"""Every transfer syntax gives back the words that were encoded, and damage is never filled up."""

import io
import itertools
import os
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from components.dicom.decoders import DECODERS, decode_words, require_decoder
from components.dicom.header import parse_header
from components.dicom.pixels import read_pixels
from components.records.errors import SourceError
from tests.dicom_files import (
    ENCODERS,
    by_gdcm,
    by_jpeg_ls,
    by_openjpeg,
    encapsulated,
    plant,
    save,
)

ROWS, COLUMNS = 40, 33
KEPT = Path(__file__).parents[2] / "kept"


def smooth(stored: int, signed: bool) -> npt.NDArray[np.int64]:
    """A picture that any codec compresses, with the ends of the range in it."""
    down, across = np.mgrid[:ROWS, :COLUMNS]
    values = (down * 37 + across * 11 + (down * across) % 7) * ((1 << stored) // 1200 + 1)
    values = values % (1 << stored)
    values[0, 0], values[-1, -1] = 0, (1 << stored) - 1
    return values - (1 << (stored - 1)) * signed


def encoded(syntax: str, stored: int = 12, signed: bool = False, **changes: Any) -> Dataset:
    values = smooth(stored, signed)
    frame = ENCODERS[syntax](values, stored, signed, syntax)
    return encapsulated(plant(values, stored=stored, signed=signed, **changes), syntax, frame)


def words_of(dataset: Dataset) -> npt.NDArray[Any]:
    return decode_words(dataset, parse_header(dataset))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("stored", [8, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda syntax: UID(syntax).name)
def test_a_lossless_syntax_gives_what_was_stored(syntax: str, stored: int, signed: bool) -> None:
    plain = plant(smooth(stored, signed), stored=stored, signed=signed)
    dataset = encoded(syntax, stored, signed)
    assert dataset.PixelData != plain.PixelData
    assert (read_pixels(dataset) == read_pixels(plain)).all()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("stored", [8, 12, 16])
@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]
)
def test_an_uncompressed_syntax_gives_what_was_stored(
    syntax: str, stored: int, signed: bool
) -> None:
    dataset = plant(smooth(stored, signed), stored=stored, signed=signed)
    wanted = read_pixels(dataset)
    if syntax.endswith(".2.2") and stored > 8:
        words = np.frombuffer(dataset.PixelData, "<u2")
        dataset.PixelData = words.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    implicit, little = syntax == "1.2.840.10008.1.2", not syntax.endswith(".2.2")
    dataset.set_original_encoding(implicit, little)
    stream = io.BytesIO()
    save(dataset, stream)
    stream.seek(0)
    assert (read_pixels(dcmread(stream)) == wanted).all()


def test_eight_bits_in_big_endian_words_are_swapped_in_pairs() -> None:
    values = np.arange(15).reshape(3, 5)
    dataset = plant(values, stored=8)
    swapped = np.frombuffer(dataset.PixelData, np.uint16).byteswap().tobytes()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    dataset.PixelData = swapped
    dataset["PixelData"].VR = "OW"
    assert (words_of(dataset) == values).all()


def test_high_throughput_jpeg_2000_gives_what_was_stored() -> None:
    down, across = np.mgrid[:24, :20]
    values = (down * 170 + across * 37 + (down * across) % 13) % 4096
    frame = (KEPT / "gradient.htj2k").read_bytes()
    for syntax in (".201", ".202", ".203"):
        dataset = encapsulated(plant(values, stored=16), f"1.2.840.10008.1.2.4{syntax}", frame)
        assert (words_of(dataset) == values).all()


def test_near_lossless_jpeg_ls_keeps_to_its_bound() -> None:
    values = smooth(12, False)
    frame = by_jpeg_ls(values, 12, False, "1.2.840.10008.1.2.4.81")
    dataset = encapsulated(plant(values), "1.2.840.10008.1.2.4.81", frame)
    difference = np.abs(words_of(dataset).astype(int) - values)
    assert 0 < difference.max() <= 2


def baseline(values: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(stream, format="JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"])
def test_lossy_jpeg_of_8_bits_gives_what_another_decoder_gives(syntax: str) -> None:
    values = smooth(8, False)
    frame = baseline(values)
    other = np.array(Image.open(io.BytesIO(frame))).astype(int)
    dataset = encapsulated(plant(values, stored=8), syntax, frame)
    assert np.abs(words_of(dataset) - other).max() <= 1


def test_jpeg_extended_of_12_bits_is_near_what_was_stored(capfd: pytest.CaptureFixture) -> None:
    down, across = np.mgrid[:24, :20]
    values = down * 120 + across * 60
    frame = (KEPT / "gradient.12bit.jpeg").read_bytes()  # by libjpeg-turbo 3
    dataset = encapsulated(plant(values), "1.2.840.10008.1.2.4.51", frame)
    assert np.abs(words_of(dataset).astype(int) - values).max() <= 2
    assert capfd.readouterr().err == ""


def test_a_jpeg_2000_stream_that_calls_signed_values_unsigned_is_read_as_the_header_says() -> None:
    values = smooth(13, True)
    frame = by_openjpeg(values % (1 << 13), 13, False, "")
    dataset = encapsulated(plant(values, stored=13, signed=True), "1.2.840.10008.1.2.4.90", frame)
    plain = plant(values, stored=13, signed=True)
    assert (read_pixels(dataset) == read_pixels(plain)).all()


def test_a_picture_in_several_fragments_is_one_frame() -> None:
    dataset = encoded("1.2.840.10008.1.2.4.90")
    frame = by_openjpeg(smooth(12, False), 12, False, "")
    dataset.PixelData = encapsulate([frame], fragments_per_frame=3)
    assert (words_of(dataset) == smooth(12, False)).all()


SYNTAXES = sorted(ENCODERS)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_stream_that_is_cut_off_is_refused(syntax: str) -> None:
    values = smooth(12, False)
    frame = ENCODERS[syntax](values, 12, False, syntax)
    end = b"" if syntax.endswith("2.5") else b"\xff\xd9"
    for cut in (frame[: len(frame) // 2], frame[: len(frame) // 2] + end, frame[:60]):
        with pytest.raises(SourceError):
            read_pixels(encapsulated(plant(values), syntax, cut))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_second_frame_is_refused(syntax: str) -> None:
    values = smooth(12, False)
    frame = ENCODERS[syntax](values, 12, False, syntax)
    with pytest.raises(SourceError, match="2 frames"):
        read_pixels(encapsulated(plant(values), syntax, frame, frame))
    joined = frame + b"\0" * (len(frame) % 2) + frame
    with pytest.raises(SourceError):
        read_pixels(encapsulated(plant(values), syntax, joined))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_header_of_another_size_is_refused(syntax: str) -> None:
    for rows, columns in ((COLUMNS, ROWS), (ROWS, COLUMNS - 1), (ROWS + 1, COLUMNS)):
        if syntax.endswith("2.5") and rows * columns == ROWS * COLUMNS:
            continue  # run lengths have no rows and columns of their own
        with pytest.raises(SourceError):
            read_pixels(encoded(syntax, Rows=rows, Columns=columns))


def test_other_data_than_the_syntax_says_are_refused() -> None:
    frame = by_openjpeg(smooth(12, False), 12, False, "")
    for syntax in itertools.islice(DECODERS, 4, None):
        if "4.9" not in syntax and ".4.20" not in syntax:
            with pytest.raises(SourceError):
                read_pixels(encapsulated(plant(smooth(12, False)), syntax, frame))


def test_fewer_bits_in_the_stream_than_in_the_header_leave_the_sign_unknown() -> None:
    wider = {"BitsStored": 12, "HighBit": 11}
    with pytest.raises(SourceError, match="BitsStored 12"):
        read_pixels(encoded("1.2.840.10008.1.2.4.90", 10, True, **wider))
    assert (words_of(encoded("1.2.840.10008.1.2.4.90", 10, **wider)) == smooth(10, False)).all()


def test_colour_in_the_stream_is_refused() -> None:
    values = smooth(8, False)
    stream = io.BytesIO()
    Image.fromarray(np.repeat(values[..., None], 3, 2).astype(np.uint8)).save(stream, "JPEG")
    dataset = encapsulated(plant(values, stored=8), "1.2.840.10008.1.2.4.50", stream.getvalue())
    with pytest.raises(SourceError, match="SamplesPerPixel 1 in the header, but 3"):
        read_pixels(dataset)


def test_what_libjpeg_repairs_is_refused_and_others_words_are_passed_on(
    capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = smooth(12, False)
    frame = by_gdcm(values, 12, False, "1.2.840.10008.1.2.4.70")
    damaged = frame[: len(frame) // 2] + frame[len(frame) // 2 + 40 :]
    dataset = encapsulated(plant(values), "1.2.840.10008.1.2.4.70", damaged)
    real = gdcm.Image.GetBuffer

    def speaks(image: Any) -> Any:
        os.write(2, b"another thread's words\n")
        return real(image)

    monkeypatch.setattr(gdcm.Image, "GetBuffer", speaks)
    with pytest.raises(SourceError, match="damaged: Corrupt JPEG data"):
        read_pixels(dataset)
    assert capfd.readouterr().err == "another thread's words\n"


UNUSED: dict[str, tuple[npt.ArrayLike, dict[str, Any], bool]] = {
    "zeros": ([[0, 5, 4095]] * 3, {}, True),
    "a bit above": ([[0, 5, 4096]] * 3, {}, False),
    "copies of the sign": ([[-2048, -1, 2047]] * 3, {"PixelRepresentation": 1}, True),
    "zeros above the sign": ([[0, 2048, 4095]] * 3, {"PixelRepresentation": 1}, True),
    "above a signed value": ([[0, 4096, 5]] * 3, {"PixelRepresentation": 1}, False),
    "below a signed value": ([[0, -2049, 5]] * 3, {"PixelRepresentation": 1}, False),
    "zeros below": ([[0, 16, 65520]] * 3, {"HighBit": 15}, True),
    "a bit below": ([[0, 17, 65520]] * 3, {"HighBit": 15}, False),
}


@pytest.mark.parametrize("name", UNUSED)
def test_bits_that_are_not_stored_hold_nothing(name: str) -> None:
    values, changes, fine = UNUSED[name]
    if fine:
        assert words_of(plant(values, **changes)).shape == (3, 3)
    else:
        with pytest.raises(SourceError, match="stored value"):
            words_of(plant(values, **changes))


@pytest.mark.parametrize("size", [-2, -1, 1, 2, 18])
def test_other_bytes_than_those_of_one_frame_are_refused(size: int) -> None:
    dataset = plant([[1, 2, 3]] * 3)
    dataset.PixelData = (dataset.PixelData + bytes(18))[: 18 + size]
    with pytest.raises(SourceError, match=rf"{18 + size} bytes; one frame has 18"):
        words_of(dataset)


def test_an_odd_frame_is_filled_up_with_one_byte_or_none() -> None:
    dataset = plant([[1, 2, 3]] * 3, stored=8)
    for size in (9, 10):
        dataset.PixelData = (dataset.PixelData + bytes(2))[:size]
        assert (words_of(dataset) == [[1, 2, 3]] * 3).all()


def test_pixels_that_are_missing_or_are_no_integers_are_refused() -> None:
    for keyword in ("", "FloatPixelData", "DoubleFloatPixelData"):
        dataset = plant([[1, 2, 3]] * 3)
        del dataset.PixelData
        if keyword:
            setattr(dataset, keyword, bytes(72))
        with pytest.raises(SourceError, match=keyword or "no PixelData"):
            words_of(dataset)


def test_encoded_words_have_their_high_bit_at_the_top() -> None:
    dataset = encoded("1.2.840.10008.1.2.5", HighBit=15)
    with pytest.raises(SourceError, match="HighBit"):
        words_of(dataset)


def test_each_syntax_of_the_table_has_a_name_in_the_standard() -> None:
    for syntax in DECODERS:
        dataset = plant([[1, 2, 3]] * 3)
        dataset.file_meta.TransferSyntaxUID = syntax
        assert UID(syntax).is_transfer_syntax and require_decoder(dataset) == syntax
