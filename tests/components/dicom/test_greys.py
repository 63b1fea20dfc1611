"""Modality, VOI and polarity against the formulas of the standard, written here a second time."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from components.dicom.greys import grey_table, parse_recipe
from components.dicom.header import parse_header
from components.records.errors import SourceError
from tests.dicom_files import plant, table

PICTURE = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
BITS = st.integers(1, 16)


def greys(dataset: Dataset) -> npt.NDArray[np.uint16]:
    header = parse_header(dataset)
    return grey_table(parse_recipe(dataset, header.word, header.inverted))


def grey_of(dataset: Dataset, value: int) -> int:
    return int(greys(dataset)[value % (1 << dataset.BitsAllocated)])


def nearest(share: Fraction | float) -> int:
    return math.floor(Fraction(share) * 65535 + Fraction(1, 2))


@given(stored=BITS, signed=st.booleans(), data=st.data())
def test_without_a_window_the_declared_range_is_shown(
    stored: int, signed: bool, data: st.DataObject
) -> None:
    lowest = -(1 << stored - 1) if signed else 0
    highest = lowest + (1 << stored) - 1
    value = data.draw(st.integers(lowest, highest))
    dataset = plant(PICTURE, stored=stored, signed=signed)
    assert grey_of(dataset, value) == nearest(Fraction(value - lowest, highest - lowest))
    assert (grey_of(dataset, lowest), grey_of(dataset, highest)) == (0, 65535)


@given(stored=BITS, signed=st.booleans())
def test_monochrome_1_of_x_is_monochrome_2_of_the_greatest_less_x(
    stored: int, signed: bool
) -> None:
    bright = greys(plant(PICTURE, stored=stored, signed=signed))
    dark = greys(
        plant(PICTURE, stored=stored, signed=signed, PhotometricInterpretation="MONOCHROME1")
    )
    values = np.arange(1 << stored)
    mirrored = -1 - values if signed else (1 << stored) - 1 - values
    assert (dark[values] == bright[mirrored % len(bright)]).all()


@given(
    center=st.integers(-500, 5000),
    width=st.integers(2, 5000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_a_mirrored_window_on_mirrored_values_is_the_inverted_picture(
    center: int, width: int, function: str
) -> None:
    window = {"WindowWidth": width, "VOILUTFunction": function}
    dark = plant(PICTURE, PhotometricInterpretation="MONOCHROME1", WindowCenter=center, **window)
    mirror = 4095 - center + (function == "LINEAR")  # LINEAR's middle is half a value below
    bright = plant(PICTURE, WindowCenter=mirror, **window)
    difference = greys(dark)[:4096].astype(int) - greys(bright)[:4096][::-1]
    assert np.abs(difference).max() <= 1  # where a share lies half way between two greys


def linear(x: Fraction, c: Fraction, w: Fraction) -> Fraction:
    """PS3.3 C.11.2.1.2.1, word by word."""
    if x <= c - Fraction(1, 2) - (w - 1) / 2:
        return Fraction(0)
    if x > c - Fraction(1, 2) + (w - 1) / 2:
        return Fraction(1)
    return (x - (c - Fraction(1, 2))) / (w - 1) + Fraction(1, 2)


def linear_exact(x: Fraction, c: Fraction, w: Fraction) -> Fraction:
    """PS3.3 C.11.2.1.3.2, word by word."""
    if x <= c - w / 2:
        return Fraction(0)
    if x > c + w / 2:
        return Fraction(1)
    return (x - c) / w + Fraction(1, 2)


def sigmoid(x: Fraction, c: Fraction, w: Fraction) -> Fraction:
    """PS3.3 C.11.2.1.3.1, word by word."""
    exponent = float(-4 * (x - c) / w)
    return Fraction(0) if exponent > 700 else Fraction(1 / (1 + math.exp(exponent)))


FORMULAS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid, None: linear}
TENTHS = st.integers(-30000, 60000).map(lambda tenths: Fraction(tenths, 10))


@given(
    function=st.sampled_from(list(FORMULAS)),
    center=TENTHS,
    width=st.integers(10, 90000).map(lambda tenths: Fraction(tenths, 10)),
    value=st.integers(-2048, 2047),
    slope=st.sampled_from([Fraction(1), Fraction(1, 4), Fraction(-2)]),
)
def test_each_window_function_follows_its_formula(
    function: str | None, center: Fraction, width: Fraction, value: int, slope: Fraction
) -> None:
    dataset = plant(
        PICTURE,
        signed=True,
        WindowCenter=float(center),
        WindowWidth=float(width),
        VOILUTFunction=function or "",
        RescaleSlope=float(slope),
        RescaleIntercept=100,
    )
    share = FORMULAS[function](value * slope + 100, center, width)
    # Where a share lies half way between two greys, floating point may take either.
    assert abs(grey_of(dataset, value) - nearest(share)) <= 1


def test_the_first_window_is_taken_and_its_function() -> None:
    two = plant(PICTURE, WindowCenter=[100, 2000], WindowWidth=[50, 4000])
    assert (greys(two) == greys(plant(PICTURE, WindowCenter=100, WindowWidth=50))).all()
    sigmoid = plant(PICTURE, WindowCenter=100, WindowWidth=50, VOILUTFunction="SIGMOID")
    assert (greys(two) != greys(sigmoid)).any()


def test_a_window_of_width_1_is_a_threshold() -> None:
    dataset = plant(PICTURE, WindowCenter=100, WindowWidth=1)
    assert [grey_of(dataset, value) for value in (98, 99, 100)] == [0, 0, 65535]


def test_rescaling_moves_the_range_and_a_negative_slope_turns_it() -> None:
    assert (
        greys(plant(PICTURE, RescaleSlope=3, RescaleIntercept=-7)) == greys(plant(PICTURE))
    ).all()
    turned = plant(PICTURE, RescaleSlope=-1, RescaleIntercept=4095)
    dark = plant(PICTURE, PhotometricInterpretation="MONOCHROME1")
    assert (greys(turned) == greys(dark)).all()


def test_the_words_bits_are_taken_from_where_high_bit_says() -> None:
    dataset = plant(PICTURE, stored=12, HighBit=15)
    assert greys(dataset)[4095 << 4] == 65535
    assert greys(dataset)[2048 << 4] == nearest(Fraction(2048, 4095))


def test_a_modality_table_maps_stored_values_and_declares_the_range() -> None:
    dataset = plant(PICTURE, ModalityLUTSequence=table([0, 100, 1000], first=10, bits=12))
    got = [grey_of(dataset, value) for value in (0, 10, 11, 12, 4095)]
    assert got == [nearest(Fraction(part, 4095)) for part in (0, 0, 100, 1000, 1000)]


def test_a_voi_table_wins_over_a_window_and_its_bits_are_full_scale() -> None:
    voi = table([0, 1023, 512], first=-1, bits=10, vr="SS")
    dataset = plant(PICTURE, signed=True, VOILUTSequence=voi, WindowCenter=0, WindowWidth=1)
    got = [grey_of(dataset, value) for value in (-2048, -1, 0, 1, 2047)]
    assert got == [0, 0, 65535, nearest(Fraction(512, 1023)), nearest(Fraction(512, 1023))]


def test_a_table_that_leaves_its_upper_entries_unused_stays_dark() -> None:
    dataset = plant(PICTURE, VOILUTSequence=table([0, 256, 512], bits=12))
    assert grey_of(dataset, 2) == nearest(Fraction(512, 4095))


def test_a_table_of_65536_entries_is_declared_as_0() -> None:
    voi = table(np.arange(65536)[::-1])
    assert [grey_of(plant(PICTURE, stored=16, VOILUTSequence=voi), x) for x in (0, 1, 65535)] == [
        65535,
        65534,
        0,
    ]


def test_entries_of_8_bits_may_share_a_word() -> None:
    packed = table([], bits=8)
    packed[0].LUTDescriptor = [3, 0, 8]
    packed[0].LUTData = bytes([7, 80, 255, 0])
    dataset = plant(PICTURE, VOILUTSequence=packed)
    assert [grey_of(dataset, x) for x in (0, 1, 2, 3)] == [7 * 257, 80 * 257, 65535, 65535]


def test_a_table_in_big_endian_is_read_in_big_endian() -> None:
    voi = table([0, 4095], bits=12)
    voi[0].LUTData = b"\0\0\x0f\xff"
    dataset = plant(PICTURE, VOILUTSequence=voi)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    assert [grey_of(dataset, x) for x in (0, 1)] == [0, 65535]


def test_equal_headers_share_one_table() -> None:
    first, second = (greys(plant(PICTURE, WindowCenter=7, WindowWidth=9)) for _ in range(2))
    assert first is second


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "slope 0": ({"RescaleSlope": 0, "RescaleIntercept": 5}, "RescaleSlope 0"),
    "slope alone": ({"RescaleSlope": 2}, "RescaleSlope has 1"),
    "intercept alone": ({"RescaleIntercept": 2}, "RescaleIntercept 1"),
    "no number": ({"RescaleSlope": "nan", "RescaleIntercept": 0}, "RescaleSlope"),
    "infinite": ({"WindowCenter": "inf", "WindowWidth": 10}, "WindowCenter"),
    "width 0": ({"WindowCenter": 40, "WindowWidth": 0}, "WindowWidth 0"),
    "width below 1": ({"WindowCenter": 40, "WindowWidth": 0.5}, "at least 1 for LINEAR"),
    "negative width": (
        {"WindowCenter": 40, "WindowWidth": -2, "VOILUTFunction": "SIGMOID"},
        "more than 0 for SIGMOID",
    ),
    "center alone": ({"WindowCenter": 40}, "WindowCenter has 1"),
    "two centers": ({"WindowCenter": [40, 50], "WindowWidth": 10}, "WindowCenter has 2"),
    "unknown function": (
        {"WindowCenter": 40, "WindowWidth": 10, "VOILUTFunction": "CUBIC"},
        "VOILUTFunction CUBIC",
    ),
    "both modalities": (
        {
            "ModalityLUTSequence": table([1, 2]),
            "RescaleSlope": 2,
            "RescaleIntercept": 0,
        },
        "both",
    ),
    "signed with unsigned table": (
        {"PixelRepresentation": 1, "ModalityLUTSequence": table([1, 2])},
        "for unsigned values",
    ),
    "signed after rescale with unsigned table": (
        {"RescaleSlope": 1, "RescaleIntercept": -1024, "VOILUTSequence": table([1, 2])},
        "for unsigned values",
    ),
    "unsigned with signed table": (
        {"VOILUTSequence": table([1, 2], first=-5, vr="SS")},
        "for signed values",
    ),
    "entries too large": ({"VOILUTSequence": table([0, 1024], bits=10)}, "VOILUTSequence"),
    "entries of 20 bits": ({"VOILUTSequence": table([0, 1], bits=20)}, "20 bits"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_contradiction_is_refused_by_its_name(name: str) -> None:
    changes, words = REFUSED[name]
    with pytest.raises(SourceError, match=words):
        greys(plant(PICTURE, **changes))


def test_a_table_shorter_than_declared_is_refused() -> None:
    voi = table([0, 1, 2])
    voi[0].LUTDescriptor = [4, 0, 16]
    with pytest.raises(SourceError, match="VOILUTSequence"):
        greys(plant(PICTURE, VOILUTSequence=voi))


def test_an_implicit_header_leaves_the_sign_of_a_table_to_its_inputs() -> None:
    voi = table([0, 65535], first=65535)  # -1, where the values are signed
    dataset = plant(PICTURE, signed=True, VOILUTSequence=voi)
    dataset.set_original_encoding(True, True)
    assert [grey_of(dataset, x) for x in (-2, -1, 0, 1)] == [0, 0, 65535, 65535]
