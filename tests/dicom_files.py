"""DICOM data sets made from nothing, for tests: a header that is right, and what a test changes."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import jpeg_ls
import numpy as np
import numpy.typing as npt
import rle
from openjpeg.utils import encode_array
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DX = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage - For Presentation


def plant(
    values: npt.ArrayLike, *, stored: int = 12, signed: bool = False, **changes: Any
) -> Dataset:
    """A MONOCHROME2 radiograph of these stored values, uncompressed, with `changes` to its header.

    A change to None removes the attribute. Up to 8 stored bits are in words of 8.
    """
    grid = np.atleast_2d(np.asarray(values))
    allocated = 8 if stored <= 8 else 16
    words = (grid.astype(np.int64) % (1 << allocated)).astype(f"<u{allocated // 8}")
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DX
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "DX"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = grid.shape
    dataset.BitsAllocated = allocated
    dataset.BitsStored = stored
    dataset.HighBit = stored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = words.tobytes() + b"\0" * (words.nbytes % 2)
    dataset["PixelData"].VR = "OW" if allocated == 16 else "OB"
    for keyword, value in changes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.set_original_encoding(False, True)  # as if it had been read: explicit, little endian
    return dataset


def save(dataset: Dataset, to: Any) -> None:
    """Writes a DICOM file to a path or a stream."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dcmwrite(to, dataset, enforce_file_format=True)


def encapsulated(dataset: Dataset, syntax: str, *frames: bytes) -> Dataset:
    """The same data set with these encoded frames."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def table(entries: npt.ArrayLike, first: int = 0, bits: int = 16, vr: str = "US") -> list[Dataset]:
    """The sequence of one look-up table."""
    item = Dataset()
    words = np.asarray(entries, np.int64)
    item.add_new("LUTDescriptor", vr, [len(words) % 65536, first, bits])
    item.add_new("LUTData", "OW", words.astype("<u2").tobytes())
    return [item]


def container(values: npt.NDArray[Any], stored: int, signed: bool) -> npt.NDArray[Any]:
    return values.astype(f"<{'i' if signed else 'u'}{1 if stored <= 8 else 2}")


def by_gdcm(values: npt.NDArray[Any], stored: int, signed: bool, syntax: str) -> bytes:
    """By way of files: GDCM's images do not outlive what they came from."""
    with tempfile.TemporaryDirectory() as folder:
        plain, changed = (str(Path(folder) / name) for name in ("plain", "changed"))
        save(plant(values, stored=stored, signed=signed), plain)
        reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
        reader.SetFileName(plain)
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(changed)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return b"".join(list(generate_fragments(dcmread(changed).PixelData))[1:])


def by_jpeg_ls(values: npt.NDArray[Any], stored: int, signed: bool, syntax: str) -> bytes:
    words = container(values % (1 << stored), stored, False)
    return bytes(jpeg_ls.encode_array(words, lossy_error=2 * syntax.endswith("81")))


def by_openjpeg(values: npt.NDArray[Any], stored: int, signed: bool, syntax: str) -> bytes:
    samples = container(values, stored, signed)
    return bytes(encode_array(samples, bits_stored=stored, photometric_interpretation=2))


def by_rle(values: npt.NDArray[Any], stored: int, signed: bool, syntax: str) -> bytes:
    samples = container(values, stored, signed)
    shape = {
        "rows": values.shape[0],
        "columns": values.shape[1],
        "samples_per_pixel": 1,
        "number_of_frames": 1,
    }
    bits = {"bits_allocated": 8 * samples.itemsize, "byteorder": "<"}
    return rle.encode_pixel_data(samples.tobytes(), **shape, **bits)


ENCODERS: dict[str, Callable[..., bytes]] = {
    "1.2.840.10008.1.2.4.57": by_gdcm,
    "1.2.840.10008.1.2.4.70": by_gdcm,
    "1.2.840.10008.1.2.4.80": by_jpeg_ls,
    "1.2.840.10008.1.2.4.90": by_openjpeg,
    "1.2.840.10008.1.2.5": by_rle,
}
