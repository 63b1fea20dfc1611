"""DICOM data sets made from nothing, for tests: a header that is right, and what a test changes."""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
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
