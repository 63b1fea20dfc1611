"""From a whole data set to sixteen bits, and what is refused before and after decoding."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from components.cases.images import decode, encode_png
from components.dicom.pixels import PIPELINE, read_pixels, why_unreadable
from components.records.errors import SourceError
from tests.dicom_files import plant, save

RANDOM = np.random.default_rng(7)
PICTURE = RANDOM.integers(0, 4096, (40, 31))


def reread(dataset: Dataset, **options: Any) -> Dataset:
    stream = io.BytesIO()
    save(dataset, stream)
    stream.seek(0)
    return dcmread(stream, **options)


def test_the_pipeline_has_a_version() -> None:
    assert PIPELINE == "dicom-v1"


@given(stored=st.sampled_from([8, 10, 12, 14, 15, 16]), signed=st.booleans(), data=st.data())
def test_every_depth_shows_its_range_and_monochrome_1_is_its_mirror(
    stored: int, signed: bool, data: st.DataObject
) -> None:
    lowest, levels = -(1 << stored - 1) if signed else 0, 1 << stored
    shares = data.draw(st.lists(st.integers(0, levels - 1), min_size=9, max_size=9))
    values = np.array(shares).reshape(3, 3) + lowest
    bright = read_pixels(reread(plant(values, stored=stored, signed=signed)))
    wanted = (2 * 65535 * (values - lowest) + levels - 1) // (2 * (levels - 1))
    assert bright.dtype == np.uint16 and (bright == wanted).all()
    mirrored = 2 * lowest + levels - 1 - values
    dark = plant(mirrored, stored=stored, signed=signed, PhotometricInterpretation="MONOCHROME1")
    assert (read_pixels(reread(dark)) == bright).all()


def test_inversion_is_over_the_declared_range_whatever_the_picture_has() -> None:
    dark = plant(np.full((3, 3), 100), PhotometricInterpretation="MONOCHROME1")
    assert (read_pixels(dark) == 65535 - round(100 / 4095 * 65535)).all()


def test_a_row_of_the_file_is_a_row_of_the_picture() -> None:
    picture = read_pixels(plant(PICTURE))
    assert picture.shape == (40, 31)
    assert (picture.argmax(), picture.argmin()) == (PICTURE.argmax(), PICTURE.argmin())


def test_the_picture_survives_as_a_png_of_16_bits() -> None:
    picture = read_pixels(plant(PICTURE))
    assert (decode(encode_png(picture)) == picture).all()


def test_a_header_without_its_pixels_is_judged_alike() -> None:
    assert why_unreadable(reread(plant(PICTURE), stop_before_pixels=True)) is None
    bad = plant(PICTURE, BitsStored=17)
    with pytest.raises(SourceError) as refused:
        read_pixels(bad)
    assert why_unreadable(bad) == str(refused.value)


def test_a_syntax_without_decoder_is_named_before_anything_is_read() -> None:
    dataset = plant(PICTURE)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    reason = why_unreadable(dataset)
    assert reason is not None and "MPEG2" in reason and "1.2.840.10008.1.2.4.100" in reason


def test_a_data_set_without_syntax_is_refused() -> None:
    dataset = plant(PICTURE)
    del dataset.file_meta
    assert why_unreadable(dataset) == "TransferSyntaxUID is missing"


def test_a_text_where_a_number_belongs_is_refused_in_one_line() -> None:
    dataset = plant(PICTURE)
    dataset.add_new("RescaleSlope", "DS", "1")
    dataset["RescaleSlope"]._value = "steep"
    dataset.RescaleIntercept = 0
    reason = why_unreadable(dataset)
    assert reason is not None and "RescaleSlope" in reason and "\n" not in reason


def test_the_room_imports_pydicom_late_and_neither_tensorflow_nor_pandas() -> None:
    program = """
import sys, components.dicom.pixels as pixels
heavy = ("pydicom", "gdcm", "openjpeg", "pyarrow", "tensorflow", "pandas")
print([x for x in heavy if x in sys.modules])
from tests.dicom_files import plant
pixels.read_pixels(plant([[1, 2, 3]] * 3))
print([x for x in heavy[-2:] if x in sys.modules])
"""
    command = [sys.executable, "-c", program]
    got = subprocess.run(command, capture_output=True, text=True, check=True)
    assert got.stdout.split("\n") == ["[]", "[]", ""]
