"""Small DICOM files with patients in them, for the tests of what reads DICOM."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from tests.foreign import needs

DX = "1.2.840.10008.5.1.4.1.1.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88.22"
PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"


def radiograph(number: int, *, patient: str | None = None, **elements: Any) -> Dataset:
    """A DX chest radiograph of 24 x 20 pixels; an element that is None is absent."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    rng = np.random.default_rng(number)
    values: dict[str, Any] = {
        "SOPClassUID": DX,
        "SOPInstanceUID": generate_uid(entropy_srcs=["instance", str(number)]),
        "StudyInstanceUID": generate_uid(entropy_srcs=["study", str(number)]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=["series", str(number)]),
        "AccessionNumber": f"ACC{number:05d}",
        "PatientName": f"Rossi^Patient{number}",
        "PatientID": patient or f"MRN{number:05d}",
        "PatientBirthDate": "19611104",
        "PatientSex": "F",
        "StudyDate": "20240102",
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "Manufacturer": "Acme",
        "ManufacturerModelName": "Ray 2",
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PresentationLUTShape": "IDENTITY",
        "Rows": 24,
        "Columns": 20,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": rng.integers(0, 4096, (24, 20)).astype("<u2").tobytes(),
        **elements,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"] or "1.2.3"
    return dataset


def write_dicom(path: Path, dataset: Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_archive(root: Path, *, cases: int = 24) -> Path:
    """A folder of radiographs, half of them positive, with a table of labels and splits."""
    rows = ["SOPInstanceUID,label,split"]
    for number in range(cases):
        dataset = radiograph(number)
        write_dicom(root / f"Rossi_Patient{number}" / f"IM{number:04d}", dataset)
        split = ("train", "train", "tune", "test")[number // 2 % 4]
        rows.append(f"{dataset.SOPInstanceUID},{number % 2},{split}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


# Of the values of a source, which are passed through as they are.
PASSED_THROUGH = ("Retired Person Name form", "needed to build DICOMDIR")


def dciodvfy(path: Path) -> list[str]:
    """What David Clunie's validator has against an object, errors and warnings."""
    program = needs("dciodvfy", "dicom3tools")
    done = subprocess.run([program, str(path)], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines, "it said nothing at all"
    found = [line for line in lines if line.startswith(("Error", "Warning", "Abort"))]
    return [line for line in found if not any(word in line for word in PASSED_THROUGH)]


def read_dicom(path: Path) -> Dataset:
    return pydicom.dcmread(path)
