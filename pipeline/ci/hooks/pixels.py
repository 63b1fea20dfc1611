"""Whether a file holds pictures, whatever it is called: baselines are texts, and travel with git.

An image of a patient that reached a repository stays in it for ever, and in every copy.
"""

import base64
import re

# What a picture, or a container of arrays, begins with; at an offset where it is not the start.
_MAGIC: tuple[tuple[str, int, bytes], ...] = (
    ("PNG image", 0, b"\x89PNG\r\n\x1a\n"),
    ("JPEG image", 0, b"\xff\xd8\xff"),
    ("GIF image", 0, b"GIF8"),
    ("TIFF image", 0, b"II*\x00"),
    ("TIFF image", 0, b"MM\x00*"),
    ("WebP image", 8, b"WEBP"),
    ("JPEG 2000 image", 4, b"jP  "),
    ("DICOM file", 128, b"DICM"),
    ("NIfTI image", 344, b"n+1\x00"),
    ("NumPy array", 0, b"\x93NUMPY"),
    ("HDF5 file", 0, b"\x89HDF\r\n\x1a\n"),
    ("Parquet file", 0, b"PAR1"),
    ("ZIP archive, as NPZ is", 0, b"PK\x03\x04"),
    ("gzip archive", 0, b"\x1f\x8b"),
    ("PDF document", 0, b"%PDF-"),
)
_TEXTUAL = (
    ("SVG image", re.compile(rb"<svg[\s>]", re.IGNORECASE)),
    ("image in a data: address", re.compile(rb"data:image/", re.IGNORECASE)),
    ("portable bitmap in text", re.compile(rb"\AP[1-6]\s")),
    ("PostScript image", re.compile(rb"\A%!PS")),
    ("XPM image", re.compile(rb"/\* XPM \*/")),
    ("pointer to a file that git does not hold", re.compile(rb"\Aversion https://git-lfs\.")),
)
_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{64,}(?:\s+[A-Za-z0-9+/_-]{16,})*={0,2}")
_NUMBERS = re.compile(rb"(?:\b\d{1,5}\b[\s,;\[\]]+){256,}")
_HASH = re.compile(rb"[0-9a-f]{64}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_LONGEST_TEXT = 2_000  # characters of base64 in one piece; the longest key has some hundred


def picture_in(content: bytes) -> str | None:
    """What kind of picture, or of content that may hide one, is in a file; None for a text."""
    if kind := _kind(content):
        return kind
    if not _is_text(content):
        return "binary file"
    for kind, pattern in _TEXTUAL:
        if pattern.search(content):
            return kind
    for piece in _ENCODED.finditer(content):
        if kind := _encoded(piece.group()):
            return kind
    return "table of numbers, as pixels are" if _NUMBERS.search(content) else None


def _kind(content: bytes) -> str | None:
    for kind, at, magic in _MAGIC:
        if content[at : at + len(magic)] == magic:
            return kind
    return None


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text)


def _encoded(piece: bytes) -> str | None:
    """What is wrong with a piece of what may be base64."""
    if all(_HASH.fullmatch(word) for word in piece.split()):
        return None
    letters = b"".join(piece.split()).translate(_URL_SAFE).rstrip(b"=")
    if kind := _kind(base64.b64decode(letters[: len(letters) // 4 * 4])):
        return f"{kind}, in base64"
    if len(letters) > _LONGEST_TEXT:
        return f"{len(letters)} characters of encoded bytes in one piece"
    return None
