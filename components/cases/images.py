"""What is in an encoded image: its samples, a hash that survives lossless re-encoding, its quality.

An image is decoded here and nowhere else: what is hashed, measured, trained on and judged is the
canonical PNG of these samples (docs/adr/0031-one-decoding.md).

The hash answers "is this the same picture?", which the hash of the bytes does not: two PNG
encoders write the same picture in different bytes. For a JPEG the samples are those of libjpeg
(accurate integer DCT), so its pixel hash holds as long as that decoder does.
"""

import functools
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, ImageFile, UnidentifiedImageError

from components.cases.container import PngLayout, read_png, whole_jpeg, write_png
from components.records.case import MAX_PIXELS, MIN_SIDE
from components.records.errors import SourceError
from components.records.text import brief

Samples = npt.NDArray[Any]  # uint8 or uint16, shape (height, width) or (height, width, 3)

UPRIGHT = 1  # as EXIF numbers orientations
_ORIENTATION = 0x0112
_MOST_TRANSPARENT = 0.01  # share of the pixels
_TRANSPARENT = "transparent pixels: what they look like depends on the viewer"
_HASH_HEADER = "casegate-pixels-v1"
_BLOCK_PIXELS = 1 << 20  # measured at a time, so that a large image costs no large temporaries


@dataclass(frozen=True)
class Quality:
    """How good a picture is, on its grey values scaled to [0, 1].

    Attributes:
      width, height: pixels.
      mean: in [0, 1]; 0 is black.
      standard_deviation: in [0, 0.5].
      entropy_bits: of the grey values in 256 bins, in [0, 8].
      sharpness: variance of the 4-neighbour Laplacian; low is blurred.
      clipped_fraction: share of the pixels at 0 or at full scale, in [0, 1].
    """

    width: int
    height: int
    mean: float
    standard_deviation: float
    entropy_bits: float
    sharpness: float
    clipped_fraction: float


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A decoded image.

    Attributes:
      samples: read-only uint8 or uint16 (the type is the bit depth), shape (height, width) for grey
        or (height, width, 3) for colour, upright.
      orientation: what EXIF says of the samples as they are stored, 1 to 8; they were turned
        accordingly.
      plain: the image is a PNG of these samples and of nothing else.
    """

    samples: Samples
    orientation: int
    plain: bool


# Reading a case decodes it to see that it can be; whoever hashes it next need not decode it again.
@functools.lru_cache(maxsize=1)
def read_picture(image: bytes) -> DecodedImage:
    """What a PNG or JPEG image shows: not rescaled, and turned only as its EXIF data say.

    Colour whose three channels are equal is grey. Fewer than 8 bits are scaled to 8, a palette
    becomes colour, an opaque alpha channel is dropped.

    Raises:
      SourceError: why the image cannot be used, in one line, without saying where it is.
    """
    try:
        with Image.open(io.BytesIO(image), formats=("PNG", "JPEG")) as opened:
            _check_header(opened)
            if opened.format == "PNG":
                layout = read_png(image)
                opened.load()
                samples, plain = _png_samples(opened, layout), layout.plain
                orientation = _orientation(opened) if layout.metadata else UPRIGHT
            else:
                samples, plain = _jpeg_samples(opened, image), False
                orientation = _orientation(opened)
            samples = _turned(canonical(samples), orientation)
    except SourceError:
        raise
    except UnidentifiedImageError:
        raise SourceError("not a PNG or JPEG image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise SourceError(f"more than {MAX_PIXELS:,} pixels") from None
    # Decoders raise OSError, SyntaxError, ValueError, struct.error and more on damage.
    except Exception as error:
        reason = brief(error)
        raise SourceError(f"cannot be decoded: {reason}") from None
    samples.flags.writeable = False
    return DecodedImage(samples, orientation, plain)


def decode(image: bytes) -> Samples:
    """The samples of an image; see `read_picture`."""
    return read_picture(image).samples


def canonical_png(image: bytes) -> bytes:
    """A PNG of the picture in an encoded image and of nothing else: itself, where it is one.

    Every decoder sees the same in it.

    Raises:
      SourceError: the image cannot be used.
    """
    picture = read_picture(image)
    return image if picture.plain else write_png(picture.samples)


def encode_png(samples: Samples) -> bytes:
    """PNG bytes of uint8 or uint16 grey samples (h, w), or of uint8 colour samples (h, w, 3)."""
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def canonical(samples: Samples) -> Samples:
    """The same picture in its one shape: colour with three equal channels as grey."""
    if samples.ndim == 3 and samples.shape[2] == 3:
        first = samples[..., 0]
        if np.array_equal(first, samples[..., 1]) and np.array_equal(first, samples[..., 2]):
            return np.ascontiguousarray(first)
    return samples


def bytes_sha256(image: bytes) -> str:
    """SHA-256 (hex) of the encoded bytes."""
    return hashlib.sha256(image).hexdigest()


def pixels_sha256(image: bytes) -> str:
    """SHA-256 (hex) of the picture in an encoded image: see `samples_sha256`."""
    return samples_sha256(decode(image))


def samples_sha256(samples: Samples) -> str:
    """SHA-256 (hex) of a header (version, mode, width, height) and the little-endian samples."""
    picture = canonical(samples)
    height, width = picture.shape[:2]
    mode = f"{'grey' if picture.ndim == 2 else 'rgb'}{8 * picture.dtype.itemsize}"
    digest = hashlib.sha256(f"{_HASH_HEADER} {mode} {width}x{height}\n".encode())
    little_endian = picture.astype(picture.dtype.newbyteorder("<"), copy=False)
    digest.update(np.ascontiguousarray(little_endian).data)
    return digest.hexdigest()


def inspect_image(image: bytes) -> tuple[str, Quality]:
    """Pixel hash and quality of an encoded image, decoded once.

    Raises:
      SourceError: the image cannot be used.
    """
    samples = decode(image)
    return samples_sha256(samples), measure(samples)


def measure(samples: Samples) -> Quality:
    """The quality of decoded samples, shape (h, w) or (h, w, 3), both sides at least MIN_SIDE.

    Sums are exact integers, so the figures do not depend on how an array library adds up.
    """
    grey = grey_samples(samples)
    height, width = grey.shape
    levels = int(np.iinfo(grey.dtype).max) + 1
    histogram = np.zeros(levels, np.int64)
    laplacian_sum = laplacian_squares = 0
    flat = grey.reshape(-1)
    for start in range(0, flat.size, _BLOCK_PIXELS):
        histogram += np.bincount(flat[start : start + _BLOCK_PIXELS], minlength=levels)
    for block in _row_blocks(grey):
        laplacian = _laplacian(block)
        laplacian_sum += int(laplacian.sum())
        # Not `dot`, whose threads wait for each other on a machine that has other work.
        laplacian_squares += int(np.einsum("i,i->", laplacian, laplacian))

    pixels, full_scale = height * width, levels - 1
    values = np.arange(levels, dtype=np.int64)
    total = int((histogram * values).sum())
    squares = int((histogram * values * values).sum())
    inner_pixels = (height - 2) * (width - 2)
    counts = histogram.reshape(256, -1).sum(axis=1)
    shares = counts[counts > 0] / counts.sum()
    return Quality(
        width=width,
        height=height,
        mean=total / pixels / full_scale,
        standard_deviation=_variance(pixels, total, squares) ** 0.5 / full_scale,
        entropy_bits=float(np.abs((shares * np.log2(shares)).sum())),
        sharpness=_variance(inner_pixels, laplacian_sum, laplacian_squares) / full_scale**2,
        clipped_fraction=int(histogram[0] + histogram[-1]) / pixels,
    )


def _check_header(opened: ImageFile.ImageFile) -> None:
    """Refuses, before anything is decoded, what would be too large or decoded with a loss."""
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise SourceError(f"{width} x {height}: more than {MAX_PIXELS:,} pixels")
    if min(width, height) < MIN_SIDE:
        raise SourceError(f"{width} x {height}: smaller than {MIN_SIDE} x {MIN_SIDE}")
    # Pillow keeps only the upper 8 bits of 16-bit colour, without a word.
    raw_mode = str(opened.tile[0].args) if opened.tile else ""
    if ";16B" in raw_mode and not opened.mode.startswith("I"):
        raise SourceError("16-bit colour; wanted 16-bit grey or 8-bit colour")


def _jpeg_samples(opened: Image.Image, image: bytes) -> Samples:
    if opened.mode not in ("L", "RGB"):
        raise SourceError(f"mode {opened.mode}; wanted grey or RGB")
    colours = "GRAY" if opened.mode == "L" else "RGB"
    # Pillow hides what libjpeg says of damage that it repairs; here that is an error.
    samples: Samples = simplejpeg.decode_jpeg(whole_jpeg(image), colours, strict=True)
    return samples[..., 0] if opened.mode == "L" else samples


def _png_samples(opened: Image.Image, layout: PngLayout) -> Samples:
    if opened.mode in ("P", "LA", "RGBA"):
        rgba = np.asarray(opened.convert("RGBA"))
        if (rgba[..., 3] != 255).any():
            raise SourceError(_TRANSPARENT)
        return np.ascontiguousarray(rgba[..., :3])
    if opened.mode == "1":
        samples = np.array(opened.convert("L"))
    elif opened.mode in ("L", "RGB"):
        samples = np.array(opened)
    elif opened.mode in ("I;16", "I"):  # "I" is how Pillow before 11.3 opens a 16-bit grey PNG
        samples = np.array(opened).astype(np.uint16)
    else:
        raise SourceError(f"mode {opened.mode}; wanted grey or RGB")
    # One value may be declared transparent, in the depth of the file; exports do so of values that
    # no pixel has, or hardly any. The samples are there all the same.
    value = opened.info.get("transparency")
    if value is not None:
        factor = 255 // (2**layout.bit_depth - 1) if layout.bit_depth < 8 else 1
        same = samples == np.asarray(value) * factor
        if same.reshape(*samples.shape[:2], -1).all(axis=2).mean() > _MOST_TRANSPARENT:
            raise SourceError(_TRANSPARENT)
    return samples


def _orientation(opened: Image.Image) -> int:
    """As EXIF has it; upright where it says nothing, or 0, which is how some say nothing.

    Raises:
      SourceError: no orientation that EXIF knows.
    """
    found = opened.getexif().get(_ORIENTATION) or UPRIGHT
    if found not in range(1, 9):
        raise SourceError(f"EXIF orientation {found!r}; wanted 1 to 8")
    return int(found)


def _turned(samples: Samples, orientation: int) -> Samples:
    """Stored samples as EXIF wants them seen."""
    if orientation == UPRIGHT:
        return samples
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return np.ascontiguousarray(samples)


def grey_samples(samples: Samples) -> Samples:
    """Grey samples of the same type; colour by ITU-R BT.601 luma, rounded."""
    if samples.ndim == 2:
        return samples
    red, green, blue = (samples[..., channel].astype(np.uint32) for channel in range(3))
    # Sixteenth-bit fractions, as in Pillow; 65535 * 65536 + 32768 still fits 32 bits.
    luma: Samples = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
    return luma.astype(samples.dtype)


def _row_blocks(grey: Samples) -> Iterator[Samples]:
    """Blocks of rows, each with the row above and the row below its own."""
    height, width = grey.shape
    rows = max(1, _BLOCK_PIXELS // width)
    for top in range(1, height - 1, rows):
        yield grey[top - 1 : min(top + rows, height - 1) + 1]


def _laplacian(block: Samples) -> npt.NDArray[Any]:
    """4-neighbour Laplacian of the block's inner pixels, flat, in a type that adds up exactly."""
    # 8-bit samples fit 16 bits four times over, and their sums a float64: that makes small images
    # quick.
    small = block.dtype == np.uint8
    wide: npt.NDArray[Any] = block.astype(np.int16 if small else np.int32)
    around: npt.NDArray[Any] = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    around -= 4 * wide[1:-1, 1:-1]
    return around.astype(np.float64 if small else np.int64).ravel()


def _variance(count: int, total: int, squares: int) -> float:
    return (count * squares - total * total) / (count * count)
