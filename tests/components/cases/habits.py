"""Small pictures as exports write them: each kind with what has to become of it.

`made` makes some of every kind; a folder beside the checkout holds those that were reported.
"""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.components.cases.making import encoded

ADMITTED = "admitted"
DAMAGED = "damaged"
TURNED = "turned"
REFUSED = "refused"

_ADMITTED = """
    plain.png plain.jpg full224.jpg grey16.png rgb_equal.png rgb_tinted.png rgb_kept.jpg
    progressive.jpg arithmetic.jpg palette_colourmap.png palette_grey.png palette_identity.png
    palette_reversed.png one_bit.png two_bit.png la_opaque.png rgba_opaque.png apng.png
    apng_default.png icc_srgb.png jpg_named.png png_named.jpg mpo_named.jpg missing_eoi.jpg
    grey16_trns_unused.png trns_unused8.png grey12in16.png inverted.png
"""
_DAMAGED = """
    bad_idat_crc.png lossless_sof3.jpg truncated_half.jpg trailing_garbage.jpg
    junk_before_marker.jpg truncated_half_eoi.jpg tail_cut_20.jpg
"""
_REFUSED = "cmyk.jpg empty.jpg html_error_page.jpg webp_named.png"
REPORTED: dict[str, str] = {
    **dict.fromkeys(_ADMITTED.split(), ADMITTED),
    **dict.fromkeys(_DAMAGED.split(), DAMAGED),
    "exif6.jpg": TURNED,
    **dict.fromkeys(_REFUSED.split(), REFUSED),
}
# Those that show one and the same picture.
SAME = (
    ("plain.png", "rgb_equal.png", "palette_grey.png", "la_opaque.png", "rgba_opaque.png")
    + ("apng.png", "apng_default.png", "icc_srgb.png", "png_named.jpg", "trns_unused8.png"),
    ("grey16.png", "grey16_trns_unused.png"),
    ("full224.jpg", "missing_eoi.jpg"),
    ("plain.jpg", "progressive.jpg", "arithmetic.jpg", "jpg_named.png", "rgb_kept.jpg"),
)


def radiograph(seed: int = 0, shape: tuple[int, int] = (48, 64)) -> npt.NDArray[np.uint8]:
    """A bright middle between two dark fields, with a little noise."""
    rows, columns = (np.linspace(-1, 1, side) for side in shape)
    fields = np.exp(-8 * (np.abs(columns) - 0.5) ** 2) * np.exp(-2 * rows[:, None] ** 2)
    noise = np.random.default_rng(seed).normal(0, 0.02, shape)
    return np.clip(255 * (0.85 - 0.7 * fields + noise), 0, 255).astype(np.uint8)


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """The PNG with one more chunk behind its header."""
    return png[:33] + chunk(name, content) + png[33:]


def exif(orientation: int) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def made() -> dict[str, tuple[str, bytes]]:
    """By file name: what has to become of it, and the file."""
    grey = radiograph()
    grey16 = grey.astype(np.uint16) * 257
    png, jpeg = encoded(grey), encoded(grey, "JPEG")
    spoiled = bytearray(png)
    spoiled[png.index(b"IDAT") + 40] ^= 1
    middle = png.index(b"IDAT") + 10
    absent = next(value for value in range(1, 65536) if not (grey16 == value).any())
    files: dict[str, dict[str, bytes]] = {
        ADMITTED: {
            "grey.png": png,
            "grey.jpg": jpeg,
            "grey16.png": encoded(grey16),
            "progressive.jpg": encoded(grey, "JPEG", progressive=True),
            "colour.jpg": encoded(np.dstack([grey, grey // 2, grey]), "JPEG"),
            "no_end.jpg": jpeg[:-2],
            "several.jpg": jpeg + encoded(grey[::-1].copy(), "JPEG"),
            "text.png": with_chunk(png, b"tEXt", b"Comment\0exported"),
            "gamma.png": with_chunk(png, b"gAMA", struct.pack(">I", 45455)),
            "unused16.png": with_chunk(encoded(grey16), b"tRNS", struct.pack(">H", absent)),
            "upright.jpg": encoded(grey, "JPEG", exif=exif(1)),
        },
        DAMAGED: {
            "flipped_bit.png": bytes(spoiled),
            "checksum.png": png[:middle] + bytes([png[middle] ^ 1]) + png[middle + 1 :],
            "cut.png": png[:-200],
            "cut.jpg": jpeg[: len(jpeg) // 2],
            "cut_and_ended.jpg": jpeg[: len(jpeg) // 2] + b"\xff\xd9",
            "end_cut.jpg": jpeg[:-30],
            "something_behind.jpg": jpeg + b"something",
            "zeros_behind.jpg": jpeg + bytes(100),
            "something_between.jpg": jpeg[:20] + b"\0" + jpeg[20:],
            "lossless.jpg": jpeg.replace(b"\xff\xc0", b"\xff\xc3", 1),
        },
        TURNED: {
            "turned6.jpg": encoded(grey, "JPEG", exif=exif(6)),
            "turned3.png": encoded(grey, exif=exif(3)),
        },
        REFUSED: {
            "four_inks.jpg": _cmyk(grey),
            "empty.png": b"",
            "page.png": b"<html>404 not found</html>",
            "half_seen.png": encoded(np.dstack([grey, np.full_like(grey, 90)])),
            "keyed.png": with_chunk(encoded(grey // 200 * 200), b"tRNS", struct.pack(">H", 200)),
        },
    }
    return {name: (kind, file) for kind, some in files.items() for name, file in some.items()}


def _cmyk(grey: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).convert("CMYK").save(stream, format="JPEG")
    return stream.getvalue()
