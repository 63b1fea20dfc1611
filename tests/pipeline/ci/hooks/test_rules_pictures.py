"""Pictures are found by what they are, in every disguise a person may not even have meant."""

import base64
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.baselines.case_set import case_set_json
from pipeline.ci.hooks.rules import picture_in
from tests.components.planting import locked

PIXELS = np.random.default_rng(1).integers(0, 255, (32, 32), dtype=np.uint8)


def image(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    return stream.getvalue()


def array(save, *arguments) -> bytes:
    stream = io.BytesIO()
    save(stream, *arguments)
    return stream.getvalue()


BINARY = {
    "PNG image": image("PNG"),
    "JPEG image": image("JPEG"),
    "TIFF image": image("TIFF"),
    "GIF image": image("GIF"),
    "WebP image": image("WEBP"),
    "JPEG 2000 image": image("JPEG2000"),
    "binary file": image("BMP"),
    "DICOM file": bytes(128) + b"DICM" + PIXELS.tobytes(),
    "NumPy array": array(np.save, PIXELS),
    "ZIP archive, as NPZ is": array(np.savez, PIXELS),
    "gzip archive": gzip.compress(PIXELS.tobytes()),
}


@pytest.mark.parametrize("kind", BINARY)
def test_pictures_and_arrays_are_known_by_their_content(kind: str) -> None:
    assert picture_in(BINARY[kind]) == kind


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes, base64.urlsafe_b64encode])
def test_and_in_base64_within_a_text(kind: str, encode) -> None:
    found = picture_in(b'{"note": "\n' + encode(BINARY[kind]) + b'\n"}')
    if "DICOM" in kind or "binary" in kind:
        assert found is not None and ("in base64" in found or "encoded bytes" in found)
    else:
        assert found == f"{kind}, in base64"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'<?xml version="1.0"?><svg width="8"><path/></svg>', "SVG image"),
        (b"![scan](data:image/png;base64,iVBO)", "image in a data: address"),
        (b"P2\n32 32\n255\n0 1 2", "portable bitmap in text"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer to a file"),
        (json.dumps(PIXELS.tolist()).encode(), "table of numbers"),
        ("\n".join(" ".join(map(str, row)) for row in PIXELS).encode(), "table of numbers"),
        (PIXELS.tobytes().hex().encode(), "characters of encoded bytes"),
        (PIXELS.tobytes(), "binary file"),
        (b"text with a bell \x07", "binary file"),
    ],
)
def test_texts_that_hold_pixels_are_known(content: bytes, kind: str) -> None:
    assert kind in (picture_in(content) or "")


PEM = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
RSA_4096 = base64.encodebytes(np.random.default_rng(2).bytes(550)).decode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        "Geprüft von Dr. Weiß\n".encode(),
        case_set_json(locked(200, 200)),
        PEM.format(RSA_4096.strip()).encode(),
        "\n".join("0123456789abcdef" * 4 for _ in range(100)).encode(),
        "\n".join(f"a-case-of-some-hospital-{i:06d}" for i in range(1000)).encode(),
        json.dumps([["case", i / 997] for i in range(1000)]).encode(),
    ],
)
def test_what_baselines_are_made_of_is_fine(content: bytes) -> None:
    assert picture_in(content) is None


def test_what_is_shipped_is_fine() -> None:
    files = [p for p in Path("baselines").rglob("*") if p.is_file()]
    assert len(files) > 5
    assert [str(path) for path in files if picture_in(path.read_bytes())] == []
