"""The words of a DICOM picture: which decoder reads which transfer syntax, and what it may not do.

One decoder is named for each syntax, so that what else is installed never changes a picture. What
a decoder would fill up or cut off is refused, and so is a word that uses bits beyond BitsStored:
either BitsStored is wrong or something else than the picture lies there.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.dicom.codestream import Stream, check_stream, read_frame
from components.dicom.header import Header, Word
from components.records.errors import SourceError

if TYPE_CHECKING:
    from pydicom import Dataset

Words = npt.NDArray[Any]  # uint8 or uint16, shape (rows, columns)

_NATIVE, _GDCM, _JPEG_LS, _OPENJPEG, _RLE = "", "gdcm", "jpeg_ls", "openjpeg", "rle"
DECODERS = {
    "1.2.840.10008.1.2": _NATIVE,
    "1.2.840.10008.1.2.1": _NATIVE,
    "1.2.840.10008.1.2.1.99": _NATIVE,  # deflated: inflated where the file is read
    "1.2.840.10008.1.2.2": _NATIVE,
    "1.2.840.10008.1.2.4.50": _GDCM,  # JPEG baseline
    "1.2.840.10008.1.2.4.51": _GDCM,  # JPEG extended
    "1.2.840.10008.1.2.4.57": _GDCM,  # JPEG lossless
    "1.2.840.10008.1.2.4.70": _GDCM,
    "1.2.840.10008.1.2.4.80": _JPEG_LS,
    "1.2.840.10008.1.2.4.81": _JPEG_LS,
    "1.2.840.10008.1.2.4.90": _OPENJPEG,  # JPEG 2000
    "1.2.840.10008.1.2.4.91": _OPENJPEG,
    "1.2.840.10008.1.2.4.201": _OPENJPEG,  # high-throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": _OPENJPEG,
    "1.2.840.10008.1.2.4.203": _OPENJPEG,
    "1.2.840.10008.1.2.5": _RLE,
}
# What libjpeg, inside GDCM, writes to the standard error when it repairs.
_REPAIRED = re.compile(rb"^(?:Corrupt JPEG data|Premature end|Inconsistent progression).*$", re.M)
_NOISE = re.compile(rb"^Invalid SOS parameters for sequential JPEG\n", re.M)  # and reads it right
_hearing = threading.Lock()  # the standard error is the process's


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
      uint8 or uint16, shape (rows, columns), in the byte order of the file, maybe read-only.

    Raises:
      SourceError: the pixels are missing, are of another size, or are damaged.
    """
    kinds = [
        name for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if name in dataset
    ]
    if kinds != ["PixelData"] or not dataset.PixelData:
        raise SourceError(f"{' and '.join(kinds) or 'no PixelData'}; wanted PixelData")
    syntax = require_decoder(dataset)
    decoder = DECODERS[syntax]
    if decoder == _NATIVE:
        words = _native(dataset, header)
    else:
        if header.word.shift:
            raise SourceError("HighBit is not BitsStored - 1, as it has to be in encoded pixels")
        words = _encoded(dataset, header, syntax, decoder)
    _check_unused(words, header.word)
    return words


def _native(dataset: "Dataset", header: Header) -> Words:
    data, little = dataset.PixelData, dataset.file_meta.TransferSyntaxUID.is_little_endian
    size = header.rows * header.columns * header.word.allocated // 8
    if not size <= len(data) <= size + size % 2:
        raise SourceError(f"PixelData have {len(data):,} bytes; one frame has {size:,}")
    words: Words
    if header.word.allocated == 16:
        words = np.frombuffer(data, "<u2" if little else ">u2")
    elif not little and dataset["PixelData"].VR == "OW":  # two pixels are one big-endian word
        words = np.frombuffer(data, np.uint16).byteswap().view(np.uint8)
    else:
        words = np.frombuffer(data, np.uint8)
    return words[: header.rows * header.columns].reshape(header.rows, header.columns)


def _encoded(dataset: "Dataset", header: Header, syntax: str, decoder: str) -> Words:
    frame = read_frame(dataset)
    if decoder == _RLE:
        from rle.rle import decode_frame

        bits = header.word.allocated
        data = decode_frame(frame, header.rows * header.columns, bits, "<")
    else:
        stream = check_stream(frame, header)
        bits = 8 if stream.bits <= 8 else 16
        data = _JPEG_DECODERS[decoder](frame, stream, header.word, syntax)
    words = np.frombuffer(data, np.uint8 if bits == 8 else "<u2")
    if words.size != header.rows * header.columns:
        raise SourceError(
            f"decoded to {words.size:,} pixels; wanted {header.rows * header.columns:,}"
        )
    return words.reshape(header.rows, header.columns)


def _jpeg_ls(frame: bytes, stream: Stream, word: Word, syntax: str) -> Any:
    import jpeg_ls

    return jpeg_ls.decode_pixel_data(frame)[0]


def _openjpeg(frame: bytes, stream: Stream, word: Word, syntax: str) -> Any:
    import openjpeg

    return openjpeg.decode_pixel_data(frame, version=2)


def _gdcm(frame: bytes, stream: Stream, word: Word, syntax: str) -> Any:
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stream.columns, stream.rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    # GDCM takes libjpeg of 8, 12 or 16 bits by what is allocated; lossy JPEG has 8 or 12.
    container = 8 if stream.bits <= 8 else 12 if syntax in _LOSSY else 16
    signed = int(word.signed)
    image.SetPixelFormat(gdcm.PixelFormat(1, container, word.stored, word.stored - 1, signed))
    with _refuse_repairs():
        pixels = image.GetBuffer()
    if pixels is None:
        raise SourceError("the JPEG stream is damaged")
    return pixels.encode("utf-8", "surrogateescape")  # GDCM gives bytes as text


_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_JPEG_DECODERS = {_GDCM: _gdcm, _JPEG_LS: _jpeg_ls, _OPENJPEG: _openjpeg}


@contextlib.contextmanager
def _refuse_repairs() -> Iterator[None]:
    """Refuses what libjpeg repairs, of which it only tells the process's standard error.

    Raises:
      SourceError: libjpeg's words.
    """
    with _hearing, tempfile.TemporaryFile() as heard:
        standard = os.dup(2)
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard, 2)
            os.close(standard)
            heard.seek(0)
            words = heard.read()
            os.write(2, _NOISE.sub(b"", _REPAIRED.sub(b"", words)))  # another thread's
    repaired = _REPAIRED.search(words)
    if repaired:
        raise SourceError(f"the JPEG stream is damaged: {repaired.group().decode()}")


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
