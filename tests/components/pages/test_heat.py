"""Maps over pictures: the colours, the scale, and what a reader is told beside them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from components.pages.heat import (
    colours,
    data_address,
    overlay,
    read_shown,
    scale_bar,
    with_scale,
)
from tests.components.report.making import png

RAMP = np.linspace(0.0, 1.0, 256)


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L*, 0 to 100, of uint8 sRGB."""
    part = rgb / 255.0
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    cube = np.cbrt(luminance)
    return np.where(luminance > 0.008856, 116 * cube - 16, 903.3 * luminance)


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
BLIND = {
    "none": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("blind", BLIND)
def test_hotter_is_lighter_also_to_the_colour_blind_and_in_grey(blind: str) -> None:
    linear = (colours(RAMP) / 255.0) ** 2.2
    seen = np.clip(linear @ BLIND[blind].T, 0.0, 1.0) ** (1 / 2.2) * 255
    steps = np.diff(lightness(seen)[::8])
    assert (steps > 0).all() and lightness(seen)[-1] - lightness(seen)[0] > 60


def test_the_colours_are_viridis() -> None:
    import matplotlib  # takes long to import

    wanted = 255 * matplotlib.colormaps["viridis"](RAMP)[:, :3]
    assert np.abs(colours(RAMP) - wanted).max() < 20


def test_over_any_one_grey_hotter_is_lighter() -> None:
    for grey in (0, 90, 255):
        shown = overlay(Image.new("L", (256, 1), grey), RAMP[None, :])
        assert (np.diff(lightness(np.asarray(shown)[0])[::8]) > 0).all()


def test_a_small_map_is_stretched_over_the_picture_and_lies_where_it_is_hot() -> None:
    heat = np.zeros((2, 4), np.float32)
    heat[1, 3] = 1.0
    picture = np.asarray(overlay(Image.new("L", (80, 40), 100), heat))
    light = lightness(picture)
    assert picture.shape == (40, 80, 3)
    assert np.unravel_index(light.argmax(), light.shape) >= (30, 70)
    assert light[:20, :40].max() == light[0, 0] < light[-1, -1]


def test_the_scale_has_the_colours_of_the_maps() -> None:
    bar = np.asarray(scale_bar(64, 3))
    assert bar.shape == (3, 64, 3) and (np.diff(lightness(bar[1])[::4]) > 0).all()


@pytest.mark.parametrize("size", [(24, 16), (16, 24), (700, 300)])
def test_the_picture_stands_beside_its_map_and_above_the_scale(size: tuple[int, int]) -> None:
    shown = read_shown(png(*size), 1024)
    assert shown is not None
    heat = np.zeros((2, 2), np.float32)
    sheet = np.asarray(Image.open(io.BytesIO(with_scale(shown, heat + 0.5, "p = 0.5"))))
    coloured = (np.ptp(sheet[:-128].astype(int), axis=2) > 20).any(axis=0)
    width, edge = round(max(512, *size) * size[0] / max(size)), 16
    assert not coloured[: width + 2 * edge].any()
    assert coloured[width + 2 * edge : 2 * (width + edge)].all()
    blank = np.asarray(Image.open(io.BytesIO(with_scale(shown, heat, "p = 0.5"))))
    assert (blank[-60:] != sheet[-60:]).any()  # that nothing speaks for a finding stands there


def test_an_address_holds_the_picture() -> None:
    for kind in ("PNG", "JPEG"):
        head, content = data_address(Image.new("RGB", (8, 5), (200, 10, 10)), kind).split(",")
        assert head == f"data:image/{kind.lower()};base64"
        opened = Image.open(io.BytesIO(base64.b64decode(content)))
        assert (opened.format, opened.size) == (kind, (8, 5))


def test_what_is_no_picture_is_not_shown() -> None:
    assert read_shown(b"no picture", 100) is None
