"""JPEG of all kinds by GDCM, whose libjpeg repairs what is damaged and must not.

GDCM is the only decoder with a free licence for lossy JPEG of 12 bits and lossless JPEG of 16.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

from components.dicom.codestream import LOSSY_JPEG, Stream
from components.dicom.header import Word
from components.records.errors import SourceError

# What libjpeg writes to the standard error when it repairs.
_REPAIRED = re.compile(rb"^(?:Corrupt JPEG data|Premature end|Inconsistent progression).*\n?", re.M)
_NOISE = re.compile(rb"^Invalid SOS parameters for sequential JPEG\n", re.M)  # and reads it right
_hearing = threading.Lock()  # the standard error is the process's


def decode_jpeg(frame: bytes, stream: Stream, word: Word) -> bytes:
    """The words of a JPEG stream, of 8 bits each or of 16 in little endian, row by row.

    Raises:
      SourceError: it is damaged, or of a depth that its coding does not have.
    """
    import gdcm

    # By what is allocated GDCM takes libjpeg of 8, 12 or 16 bits. The wrong one ends the process.
    container = 8 if stream.bits <= 8 else 16
    if stream.coding in LOSSY_JPEG:
        if stream.bits not in (8, 12):
            raise SourceError(f"lossy JPEG of {stream.bits} bits; wanted 8 or 12")
        container = stream.bits
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
    syntax = gdcm.TransferSyntax.JPEGExtendedProcess2_4
    if stream.coding not in LOSSY_JPEG:
        syntax = gdcm.TransferSyntax.JPEGLosslessProcess14
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    signed = int(word.signed)
    image.SetPixelFormat(gdcm.PixelFormat(1, container, word.stored, word.stored - 1, signed))
    with _refuse_repairs():
        pixels = image.GetBuffer()
    if pixels is None:
        raise SourceError("the JPEG stream is damaged")
    decoded: str = pixels
    return decoded.encode("utf-8", "surrogateescape")  # GDCM gives bytes as text


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
        raise SourceError(f"the JPEG stream is damaged: {repaired.group().decode().strip()}")
