import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from components.cases.images import (
    Samples,
    bytes_sha256,
    canonical_png,
    decode,
    encode_png,
    inspect_image,
    measure,
    pixels_sha256,
    read_picture,
    samples_sha256,
)
from components.records.errors import SourceError
from tests.components.cases import habits
from tests.components.cases.making import encoded, picture
from tests.refusing import refused

BROKEN = Path(__file__).parents[2] / "broken" / "images"


@pytest.mark.parametrize("path", sorted(BROKEN.iterdir()), ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_broken_image_is_refused_in_one_line(path: Path) -> None:
    with refused(SourceError) as caught:
        decode(path.read_bytes())
    assert str(caught.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    for name in ("hundred_megapixels.png", "four_hundred_megapixels.png"):
        with refused(SourceError, "100,000,000 pixels"):
            decode((BROKEN / name).read_bytes())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_image_cut_anywhere_is_refused(kind: str) -> None:
    image = encoded(picture(1), kind)
    # Two bytes say that a JPEG is at its end; without them the picture is whole.
    for cut in range(1 if kind == "PNG" else 3, len(image)):
        with pytest.raises(SourceError):
            decode(image[:-cut])


def test_same_picture_at_other_compression_has_same_pixel_hash_and_other_bytes() -> None:
    fast, small = (encoded(picture(1, (64, 64)) // 16, compress_level=n) for n in (1, 9))
    assert pixels_sha256(fast) == pixels_sha256(small)
    assert bytes_sha256(fast) != bytes_sha256(small)


def test_one_changed_sample_changes_the_hash() -> None:
    samples = picture(1)
    changed = samples.copy()
    changed[3, 4] ^= 1
    assert pixels_sha256(encode_png(samples)) != pixels_sha256(encode_png(changed))


def test_same_samples_in_another_shape_or_depth_are_another_picture() -> None:
    flat = np.zeros((4, 8), np.uint8)
    others: list[Samples] = [
        flat,
        flat.reshape(8, 4),
        flat.astype(np.uint16),
        np.zeros((4, 4), np.uint16),
    ]
    assert len({samples_sha256(samples) for samples in others}) == len(others)


def test_colour_with_equal_channels_is_the_grey_picture() -> None:
    grey = picture(1)
    colour = np.dstack([grey, grey, grey])
    opaque = np.dstack([colour, np.full_like(grey, 255)])
    hashes = {pixels_sha256(encoded(samples)) for samples in (grey, colour, opaque)}
    assert hashes == {samples_sha256(grey)} == {samples_sha256(colour)}


def test_colour_keeps_its_channels() -> None:
    colour = picture(1, (16, 12, 3))
    assert (decode(encoded(colour)) == colour).all()
    assert pixels_sha256(encoded(colour)) != pixels_sha256(encoded(colour[..., ::-1].copy()))


def test_sixteen_bit_samples_survive_exactly_and_hash_alike_in_either_byte_order() -> None:
    samples = picture(1, top=65536)
    assert decode(encode_png(samples)).dtype == np.uint16
    assert (decode(encode_png(samples)) == samples).all()
    assert samples_sha256(samples.astype(">u2")) == pixels_sha256(encode_png(samples))


def test_pixel_hash_is_the_documented_one() -> None:
    """A case set is locked by this hash: another value here breaks every lock."""
    samples = np.arange(12, dtype=np.uint8).reshape(4, 3)
    expected = hashlib.sha256(b"casegate-pixels-v1 grey8 3x4\n" + bytes(range(12)))
    assert samples_sha256(samples) == expected.hexdigest()
    colour = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    expected = hashlib.sha256(b"casegate-pixels-v1 rgb8 3x4\n" + bytes(range(36)))
    assert samples_sha256(colour) == expected.hexdigest()


def test_palette_and_one_bit_images_are_read() -> None:
    palette = Image.fromarray(picture(1, (16, 12, 3))).convert("P")
    stream = io.BytesIO()
    palette.save(stream, format="PNG")
    assert decode(stream.getvalue()).shape == (16, 12, 3)
    stripes = np.tile([[0, 255]], (8, 4)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(stripes).convert("1").save(stream, format="PNG")
    assert (decode(stream.getvalue()) == stripes).all()


def test_decoded_samples_cannot_be_written_to() -> None:
    samples = decode(encode_png(picture(1)))
    with pytest.raises(ValueError):
        samples[0, 0] = 1


def test_text_chunk_that_inflates_a_thousandfold_is_refused() -> None:
    good = encode_png(picture(1))
    text = b"comment\0\0" + zlib.compress(bytes(1 << 24))
    checksum = struct.pack(">I", zlib.crc32(b"zTXt" + text))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + checksum
    with pytest.raises(SourceError):
        decode(good[:33] + chunk + good[33:])


@pytest.mark.parametrize("top", [256, 65536])
def test_quality_agrees_with_numpy_on_scaled_grey(top: int) -> None:
    samples = picture(3, (40, 30), top)
    samples[:4] = 0
    grey = samples / (top - 1)
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    quality = measure(samples)
    assert (quality.width, quality.height) == (30, 40)
    assert quality.mean == pytest.approx(grey.mean())
    assert quality.standard_deviation == pytest.approx(grey.std())
    assert quality.sharpness == pytest.approx((around - 4 * inner).var())
    assert quality.clipped_fraction == pytest.approx(((grey == 0) | (grey == 1)).mean())
    assert 0 < quality.entropy_bits <= 8


def test_measuring_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = picture(3, (41, 30))
    whole = measure(samples)
    monkeypatch.setattr("components.cases.images._BLOCK_PIXELS", 100)
    assert measure(samples) == whole


def test_flat_image_has_no_entropy_and_no_sharpness() -> None:
    quality = measure(np.full((8, 8), 7, np.uint8))
    assert (quality.entropy_bits, quality.sharpness, quality.standard_deviation) == (0, 0, 0)


def test_two_equal_halves_have_one_bit_of_entropy() -> None:
    samples = np.repeat(np.array([[10], [200]], np.uint8), 8, axis=0).repeat(4, axis=1)
    assert measure(samples).entropy_bits == pytest.approx(1.0)


def test_colour_is_measured_on_its_luma() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert measure(red).mean == pytest.approx(0.299, abs=0.002)


def test_inspecting_is_hashing_and_measuring() -> None:
    image = encode_png(picture(1))
    assert inspect_image(image) == (pixels_sha256(image), measure(decode(image)))


@pytest.mark.parametrize("name, made", habits.made().items())
def test_picture_with_habits_is_read_whole_or_refused(name: str, made: tuple[str, bytes]) -> None:
    kind, image = made
    if kind in (habits.DAMAGED, habits.REFUSED):
        with pytest.raises(SourceError):
            decode(image)
        return
    plain = canonical_png(image)
    assert (plain is image) is (name in ("grey.png", "grey16.png"))
    assert read_picture(plain).plain
    np.testing.assert_array_equal(decode(plain), decode(image))
    assert decode(image).dtype == (np.uint16 if "16" in name else np.uint8)


def test_an_unused_transparent_value_changes_nothing() -> None:
    for samples in (habits.radiograph(), habits.radiograph().astype(np.uint16) * 257):
        absent = next(value for value in range(256) if not (samples == value).any())
        image = habits.with_chunk(encoded(samples), b"tRNS", struct.pack(">H", absent))
        np.testing.assert_array_equal(decode(image), samples)


def test_a_transparent_value_is_in_the_depth_of_the_file() -> None:
    samples = np.tile(np.array([0, 85, 170, 255], np.uint8), (8, 4))
    rows = b"".join(b"\0" + bytes([0b00011011] * 4) for _ in range(8))
    header = habits.chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 8, 2, 0, 0, 0, 0))
    body = habits.chunk(b"IDAT", zlib.compress(rows)) + habits.chunk(b"IEND", b"")
    image = b"\x89PNG\r\n\x1a\n" + header + body
    np.testing.assert_array_equal(decode(image), samples)
    with refused(SourceError, "transparent"):
        decode(habits.with_chunk(image, b"tRNS", struct.pack(">H", 2)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_pillow_turns_it(kind: str, orientation: int) -> None:
    image = encoded(habits.radiograph(), kind, exif=habits.exif(orientation))
    wanted = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(image))))
    found = read_picture(image)
    assert found.orientation == orientation and not found.plain
    np.testing.assert_array_equal(found.samples, wanted)


def test_an_orientation_that_is_none_is_refused_but_for_nought() -> None:
    samples = habits.radiograph()
    assert read_picture(encoded(samples, exif=habits.exif(0))).orientation == 1
    with refused(SourceError, "orientation 9"):
        decode(encoded(samples, exif=habits.exif(9)))


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}]
)
def test_samples_of_a_jpeg_are_those_that_pillow_has(options: dict[str, object]) -> None:
    grey = habits.radiograph(1, (51, 67))
    for samples in (grey, np.dstack([grey, grey // 2, 255 - grey])):
        image = encoded(samples, "JPEG", **options)
        np.testing.assert_array_equal(decode(image), np.array(Image.open(io.BytesIO(image))))
