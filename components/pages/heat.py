"""Pictures of cases, and over them where a model's score came from.

The colours are viridis' (matplotlib): the hotter the lighter, so that they can be read in grey and
by the colour-blind, and none of them is the grey of a radiograph.
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components.records.case import MAX_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

MEANING = "where the score came from, not where the disease is"
NOTHING = "nothing in this image speaks for a finding"  # a map that is 0 all over
_VIRIDIS = (
    *((68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140)),
    *((40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37)),
)
_SHARE = 0.5  # of the colour, everywhere: where it varied, light bone would look hot
_LIGHT = (220, 220, 220)
_SIDE, _EDGE, _LINE, _BAR = 512, 16, 24, (256, 18)  # of the picture with its scale, in pixels


def colours(heat: np.ndarray) -> np.ndarray:
    """The colour of each value in [0, 1], any shape: uint8 with three channels more."""
    at = np.linspace(0.0, 1.0, len(_VIRIDIS))
    channels = [np.interp(heat, at, channel) for channel in zip(*_VIRIDIS)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def read_shown(image: bytes, most: int) -> "Image | None":
    """An encoded PNG or JPEG as the eye gets it, 8 bits deep; None where it cannot be read.

    16-bit grey is windowed to 8 bits from its 1st to its 99th percentile, for the eye alone.

    Args:
      most: pixels along the longer side; a larger picture is made smaller.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            small = _eight_bits(opened)
            small.thumbnail((most, most))
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more on damage, and
    # a page that lacks a picture is better than none.
    except Exception:
        return None
    return small


def _eight_bits(opened: Any) -> Any:
    from PIL import Image

    if opened.mode.startswith("I"):
        samples = np.asarray(opened).astype(np.float64)
        low, high = np.percentile(samples, (1, 99))
        span = high - low if high > low else 1.0
        grey = np.clip((samples - low) / span, 0, 1) * 255
        return Image.fromarray(np.round(grey).astype(np.uint8))
    return opened.convert("L" if opened.mode in ("1", "L") else "RGB")


def overlay(shown: "Image", heat: np.ndarray) -> "Image":
    """The picture under its map.

    Args:
      heat: float32 (h, w) in [0, 1], of any size; stretched over the picture, smoothly between.
    """
    from PIL import Image

    stretched = Image.fromarray(heat.astype(np.float32)).resize(
        shown.size, Image.Resampling.BILINEAR
    )
    coloured = Image.fromarray(colours(np.clip(np.asarray(stretched), 0.0, 1.0)))
    return Image.blend(shown.convert("RGB"), coloured, _SHARE)


def scale_bar(width: int, height: int) -> "Image":
    """The colours from 0 to 1, left to right, as they are over mid-grey."""
    from PIL import Image

    grey = Image.new("RGB", (width, height), (128, 128, 128))
    return overlay(grey, np.tile(np.linspace(0.0, 1.0, width), (height, 1)))


def data_address(picture: "Image", kind: str = "PNG") -> str:
    """A picture as a `data:` address; as PNG exact, as JPEG a third of the size."""
    content = base64.b64encode(_encoded(picture, kind)).decode()
    return f"data:image/{kind.lower()};base64,{content}"


def _encoded(picture: "Image", kind: str) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=kind, optimize=True)
    return stream.getvalue()


def with_scale(shown: "Image", heat: np.ndarray, words: str) -> bytes:
    """A PNG of `draw_sheet`, with one line about the answer."""
    return _encoded(draw_sheet(shown, heat, (words,)), "PNG")


def draw_sheet(
    shown: "Image", heat: np.ndarray, words: Sequence[str], *, title: str = "", scale: int = 1
) -> "Image":
    """The picture, beside it under its map, below them the scale and what it means.

    Args:
      words: lines about the answer.
      title: a line above the pictures, all on black as in a reading room; empty for white paper.
      scale: how many times larger than on a page letters and edges are.
    """
    from PIL import Image, ImageDraw, ImageFont

    edge, line, bar = scale * _EDGE, scale * _LINE, (scale * _BAR[0], scale * _BAR[1])
    side = max(_SIDE * scale, *shown.size)
    width, height = (round(length * side / max(shown.size)) for length in shown.size)
    large = shown.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    said = (MEANING, *words) if heat.any() else (MEANING, NOTHING, *words)
    head, ground, ink = (2 * line, (0, 0, 0), _LIGHT) if title else (0, (255, 255, 255), (0, 0, 0))
    room = (max(_SIDE * scale, 2 * width) + 3 * edge, head + height + 2 * edge)
    sheet = Image.new("RGB", (room[0], room[1] + max(4, len(said) + 1) * line), ground)
    sheet.paste(large, (edge, head + edge))
    sheet.paste(overlay(large, heat), (width + 2 * edge, head + edge))
    top, font = head + height + edge + 8 * scale, ImageFont.load_default(16 * scale)
    sheet.paste(scale_bar(*bar), (edge + 20 * scale, top))
    draw = ImageDraw.Draw(sheet)
    draw.text((edge, line // 2), title, ink, font)
    for x, text in ((edge, "0"), (edge + 30 * scale + bar[0], "1: the map's own highest value")):
        draw.text((x, top), text, ink, font)
    for number, text in enumerate(said, start=1):
        draw.text((edge, top + number * line), text, ink, font)
    return sheet
