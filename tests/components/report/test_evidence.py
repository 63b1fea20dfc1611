import base64
import io

import numpy as np
import pytest
from PIL import Image

from components.report.evidence import PAIRS, THUMBNAIL_PIXELS, admitted, thumbnail
from tests.components.report.making import png


def opened(address: str) -> Image.Image:
    kind, content = address.split(",", 1)
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("size", [(24, 16), (900, 300), (300, 900)])
def test_a_thumbnail_keeps_the_shape_and_is_never_larger_than_asked(size: tuple[int, int]) -> None:
    small = opened(thumbnail(png(*size)) or "")
    assert max(small.size) <= THUMBNAIL_PIXELS and max(small.size) <= max(size)
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)


def test_sixteen_bits_are_windowed_so_that_there_is_something_to_see() -> None:
    grey = np.asarray(opened(thumbnail(png(64, 64, deep=True)) or ""))
    assert grey.dtype == np.uint8
    assert grey.min() == 0 and grey.max() == 255  # of 4095 of 65535, which is nearly black
    assert 120 < grey.mean() < 135


def test_a_flat_sixteen_bit_picture_is_no_division_by_zero() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 9), 700, np.uint16)).save(stream, format="PNG")
    assert thumbnail(stream.getvalue()) is not None


def test_a_colour_jpeg_becomes_a_colour_png() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (20, 10), (200, 10, 10)).save(stream, format="JPEG")
    assert opened(thumbnail(stream.getvalue()) or "").mode == "RGB"


@pytest.mark.parametrize("image", [b"", b"no picture", png()[:40], b"<svg onload='alert(1)'/>"])
def test_what_cannot_be_read_is_no_picture_and_no_error(image: bytes) -> None:
    assert thumbnail(image) is None


def test_formats_that_were_never_locked_are_not_opened() -> None:
    stream = io.BytesIO()
    Image.new("L", (9, 9)).save(stream, format="GIF")
    assert thumbnail(stream.getvalue()) is None


ADMISSION = {
    "near_duplicates": [
        {
            "cases": [
                {"case_id": "a", "patient_id": "p", "label": 1, "split": "train"},
                {"case_id": "b", "patient_id": "q", "label": 0, "split": "test"},
            ],
            "distance": 12,
            "way": "mirrored",
            "labels_differ": True,
        }
    ]
    * 30,
    "compared": {"pairs": 1234},
    "associations": [{"feature": "bits"}],
}


def test_pairs_are_shown_with_both_pictures_and_no_more_than_fit() -> None:
    asked = []

    def picture(case):  # type: ignore[no-untyped-def]
        asked.append(case["case_id"])
        return png() if case["case_id"] == "a" else None

    found = admitted(ADMISSION, picture)
    assert (len(found.pairs), found.near_duplicates) == (PAIRS, 1234)
    assert asked == ["a", "b"] * PAIRS
    shown, missing = found.pairs[0].pictures
    assert opened(shown or "").size == (24, 16) and missing is None
    assert "mirrored" in found.pairs[0].words and found.pairs[0].contradicts


def test_what_an_older_run_wrote_has_neither_pairs_nor_associations() -> None:
    found = admitted({"anomalies": [], "findings": []}, lambda case: None)
    assert (found.pairs, found.near_duplicates, found.associations) == ((), 0, ())
