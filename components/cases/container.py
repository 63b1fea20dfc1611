"""What stands around the samples of a PNG or JPEG file, and whether the file is whole.

Decoders repair what is damaged, each in its own way, and pass over what they do not need. So the
bytes are looked at before any decoder is believed: a file that one reads and another refuses is
no use to anybody.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.records.errors import SourceError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = [b"IHDR", b"IDAT", b"IEND"]
_BIT_DEPTHS, _COLOUR_TYPES = (8, 16), (0, 2)  # grey and RGB, in an IHDR chunk
# In the coded data a zero follows each byte 255 that is none, and RST markers need no attention.
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_END, _START_OF_JPEG = 0xD9, b"\xff\xd8\xff"
_FRAMES = range(0xC0, 0xD0)
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # tables that are numbered among the frames
# Baseline, extended and progressive, with Huffman's or with arithmetic coding.
_READABLE = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)


@dataclass(frozen=True)
class PngLayout:
    """Attributes:
    bit_depth: of a sample.
    metadata: whether there is any chunk that is not needed to know the samples.
    plain: nothing but 8- or 16-bit samples, grey or RGB, row after row.
    """

    bit_depth: int
    metadata: bool
    plain: bool


def read_png(image: bytes) -> PngLayout:
    """What a PNG file holds, after every checksum up to its end was found right.

    Raises:
      SourceError: a wrong checksum, or no end.
    """
    names: list[bytes] = []
    at, content = len(_SIGNATURE), memoryview(image)
    while not names or names[-1] != b"IEND":
        length, name = int.from_bytes(content[at : at + 4], "big"), image[at + 4 : at + 8]
        start, at = at + 4, at + 12 + length
        if at > len(image):
            raise SourceError("the file ends early")
        if zlib.crc32(content[start : at - 4]) != int.from_bytes(content[at - 4 : at], "big"):
            raise SourceError(f"damaged: the checksum of its chunk {name!r} is wrong")
        if not names or name != b"IDAT" or names[-1] != name:
            names.append(name)
    bit_depth, colour_type, interlaced = image[24], image[25], image[28]
    metadata = names != _PLAIN
    plain = not metadata and not interlaced and at == len(image)
    plain = plain and bit_depth in _BIT_DEPTHS and colour_type in _COLOUR_TYPES
    return PngLayout(bit_depth, metadata, plain)


def write_png(samples: npt.NDArray[Any], *, stored: bool = False) -> bytes:
    """A plain PNG of uint8 or uint16 grey samples (h, w), or of uint8 colour samples (h, w, 3).

    Each row is written as its difference from the one above, which is a seventh of what choosing
    the best way for each row takes, for as many bytes.

    Args:
      stored: without compression, for what is compressed once more anyway; a sixth of the time.
    """
    height, width = samples.shape[:2]
    rows = samples.astype(samples.dtype.newbyteorder(">"), copy=False).reshape(height, -1)
    octets = np.ascontiguousarray(rows).view(np.uint8)
    filtered = np.empty((height, 1 + octets.shape[1]), np.uint8)
    filtered[:, 0] = 0 if stored else 2
    filtered[:, 1:] = octets
    if not stored:
        np.subtract(octets[1:], octets[:-1], out=filtered[1:, 1:])
    packer = zlib.compressobj(0 if stored else 1, strategy=zlib.Z_RLE)
    body = packer.compress(filtered.tobytes()) + packer.flush()
    colour_type = _COLOUR_TYPES[samples.ndim == 3]
    header = (width, height, 8 * samples.dtype.itemsize, colour_type, 0, 0, 0)
    contents = (struct.pack(">IIBBBBB", *header), body, b"")
    return _SIGNATURE + b"".join(map(_chunk, _PLAIN, contents))


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def whole_jpeg(image: bytes) -> bytes:
    """A JPEG file up to the end of its first picture; the end is added where only that is missing.

    Whether the coded data before it are whole is for the decoder to say.

    Raises:
      SourceError: a process that not every decoder has, or something else behind the picture.
    """
    at = 2
    while found := _MARKER.search(image, at):
        marker = found[1][0]
        if marker == _END:
            rest = image[found.end() :]
            if rest and not rest.startswith(_START_OF_JPEG):  # as in MPO, which holds several
                raise SourceError(f"damaged: {len(rest):,} bytes of no picture behind its end")
            return image[: found.end()]
        if marker in _FRAMES and marker not in (*_NO_FRAMES, *_READABLE):
            raise SourceError(
                f"JPEG of process SOF{marker - _FRAMES[0]}, which few decoders have; wanted "
                "baseline, progressive or arithmetic"
            )
        at = found.end() + int.from_bytes(image[found.end() : found.end() + 2], "big")
    return image + bytes((0xFF, _END))
