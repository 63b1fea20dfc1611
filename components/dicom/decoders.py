"""The words of a DICOM picture: which decoder reads which transfer syntax, and what it may not do.

One decoder is named for each syntax, so that what else is installed never changes a picture. What
a decoder would fill up or cut off is refused, and so is a word that uses bits beyond BitsStored:
either BitsStored is wrong or something else than the picture lies there.
"""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.dicom.codestream import (
    JPEG_2000,
    JPEG_LS,
    LOSSLESS_JPEG,
    LOSSY_JPEG,
    Stream,
    check_stream,
    read_frame,
)
from components.dicom.header import Header, Word
from components.dicom.libjpeg import decode_jpeg
from components.records.errors import SourceError

if TYPE_CHECKING:
    from pydicom import Dataset

Words = npt.NDArray[Any]  # uint8 or uint16, shape (rows, columns)

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_RLE_HEADER = struct.Struct("<16L")


def require_decoder(dataset: "Dataset") -> str:
    """The transfer syntax of a data set.

    Raises:
      SourceError: it is missing, or nothing here decodes it.
    """
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if not syntax:
        raise SourceError("TransferSyntaxUID is missing")
    if syntax not in DECODERS:
        raise SourceError(f"no decoder for the transfer syntax {syntax.name} ({syntax})")
    return str(syntax)


def decode_words(dataset: "Dataset", header: Header) -> Words:
    """The words of the picture as its header lays them out: not masked, not scaled.

    Returns:
      uint8 or uint16, shape (rows, columns), maybe read-only and in the file's byte order.

    Raises:
      SourceError: the pixels are missing, are of another size, or are damaged.
    """
    kinds = [keyword for keyword in _PIXELS if keyword in dataset]
    if kinds != ["PixelData"] or not dataset.PixelData:
        raise SourceError(f"{' and '.join(kinds) or 'no PixelData'}; wanted PixelData")
    decoder = DECODERS[require_decoder(dataset)]
    if decoder is not _native and header.word.shift:
        raise SourceError("HighBit is not BitsStored - 1, as it has to be in encoded pixels")
    words = decoder(dataset, header)
    wanted = header.rows * header.columns
    if words.size != wanted:
        raise SourceError(f"decoded to {words.size:,} pixels; wanted {wanted:,}")
    _check_unused(words, header.word)
    return words.reshape(header.rows, header.columns)


def _native(dataset: "Dataset", header: Header) -> Words:
    data, little = dataset.PixelData, dataset.file_meta.TransferSyntaxUID.is_little_endian
    pixels = header.rows * header.columns
    size = pixels * header.word.allocated // 8
    if not size <= len(data) <= size + size % 2:
        raise SourceError(f"PixelData have {len(data):,} bytes; one frame has {size:,}")
    if header.word.allocated == 16:
        return np.frombuffer(data, "<u2" if little else ">u2")
    if not little and dataset["PixelData"].VR == "OW":  # two pixels are one big-endian word
        return np.frombuffer(data, np.uint16).byteswap().view(np.uint8)[:pixels]
    return np.frombuffer(data, np.uint8)[:pixels]


def _rle(dataset: "Dataset", header: Header) -> Words:
    from rle.rle import decode_segment

    frame, pixels = read_frame(dataset), header.rows * header.columns
    planes = header.word.allocated // 8
    if len(frame) < _RLE_HEADER.size:
        raise SourceError("PixelData end early: no RLE header")
    count, *starts = _RLE_HEADER.unpack_from(frame)
    if count != planes:
        raise SourceError(f"{count} RLE segments; wanted {planes}, one for each byte of a word")
    parts = []
    ends = [*starts[1:planes], len(frame)]
    for start, end in zip(starts, ends):
        if not _RLE_HEADER.size <= start < end <= len(frame):
            raise SourceError("PixelData have RLE segments outside the frame")
        segment = decode_segment(frame[start:end])
        if len(segment) != pixels:
            raise SourceError(f"an RLE segment of {len(segment):,} pixels; wanted {pixels:,}")
        parts.append(np.frombuffer(segment, np.uint8))
    words: Words = parts[0].astype(f"u{planes}")  # the highest byte comes first
    for part in parts[1:]:
        words <<= 8
        words |= part
    return words


def _jpeg_ls(frame: bytes, stream: Stream, word: Word) -> Any:
    import jpeg_ls

    return jpeg_ls.decode_pixel_data(frame)[0]


def _openjpeg(frame: bytes, stream: Stream, word: Word) -> Any:
    import openjpeg

    return openjpeg.decode_pixel_data(frame, version=2)


def _jpeg(
    decode: Callable[[bytes, Stream, Word], Any], *codings: int
) -> Callable[["Dataset", Header], Words]:
    """A decoder of one kind of JPEG stream, which is first held against the header."""

    def decoded(dataset: "Dataset", header: Header) -> Words:
        frame = read_frame(dataset)
        stream = check_stream(frame, header)
        if stream.coding not in codings:
            raise SourceError(
                f"coded as {stream.coding:X}, which the transfer syntax does not have"
            )
        data = decode(frame, stream, header.word)
        return np.frombuffer(data, np.uint8 if stream.bits <= 8 else "<u2")

    return decoded


_LOSSY, _LOSSLESS = _jpeg(decode_jpeg, *LOSSY_JPEG), _jpeg(decode_jpeg, LOSSLESS_JPEG)
_LS, _2000 = _jpeg(_jpeg_ls, JPEG_LS), _jpeg(_openjpeg, JPEG_2000)
DECODERS: dict[str, Callable[["Dataset", Header], Words]] = {
    "1.2.840.10008.1.2": _native,
    "1.2.840.10008.1.2.1": _native,
    "1.2.840.10008.1.2.1.99": _native,  # deflated: inflated where the file is read
    "1.2.840.10008.1.2.2": _native,
    "1.2.840.10008.1.2.4.50": _LOSSY,
    "1.2.840.10008.1.2.4.51": _LOSSY,
    "1.2.840.10008.1.2.4.57": _LOSSLESS,
    "1.2.840.10008.1.2.4.70": _LOSSLESS,
    "1.2.840.10008.1.2.4.80": _LS,
    "1.2.840.10008.1.2.4.81": _LS,
    "1.2.840.10008.1.2.4.90": _2000,
    "1.2.840.10008.1.2.4.91": _2000,
    "1.2.840.10008.1.2.4.201": _2000,  # high-throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": _2000,
    "1.2.840.10008.1.2.4.203": _2000,
    "1.2.840.10008.1.2.5": _rle,
}


def _check_unused(words: Words, word: Word) -> None:
    """Refuses words whose unused bits are neither zero nor copies of the sign."""
    if word.stored == 8 * words.itemsize:
        return
    low = (1 << word.shift) - 1
    if low and (words & low).any():
        raise SourceError("bits below the stored value are used; overlays in them are not read")
    values = words.view(words.dtype.str.replace("u", "i")) if word.signed else words
    least, most = int(values.min()) >> word.shift, int(values.max()) >> word.shift
    if least < word.lowest or most >= 1 << word.stored:
        raise SourceError(
            f"stored values from {least} to {most}; BitsStored {word.stored} allows {word.lowest} "
            f"to {word.highest}"
        )
