"""Radiographs as a hospital has them: DICOM with a patient in every element that can hold one."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset

from components.cases.images import decode
from components.phantom.source import PhantomSource
from components.records.case import SPLITS, Case
from tests.components.dicom.archives import radiograph, write_dicom

NAME, BORN, NUMBER, ROOT = "Zanzottera", "19470311", "QX778899", "1.2.826.0.1.99999"
PLANTED = tuple(word.lower().encode() for word in (NAME, BORN, "1947-03-11", NUMBER, ROOT))
_TEXT = ("LO", "SH", "LT", "ST", "UT", "UC", "AE")


@dataclass(frozen=True)
class Shot:
    """A radiograph, and what is known of it."""

    dataset: Dataset
    label: int
    split: str


def shots(training: int, judged: int) -> Iterator[Shot]:
    """Synthetic radiographs of `training` and `judged` cases, each of a patient of its own."""
    source, number = PhantomSource.parse(f"phantom:n={training}"), 0
    for split in SPLITS:
        cases = (case for shard in source.shards(split) for case in source.read(shard))
        for case in islice(cases, judged if split == "test" else training):
            assert isinstance(case, Case)
            number += 1
            yield Shot(planted(number, decode(case.image)), case.label, split)


def planted(number: int, samples: npt.NDArray[Any], **elements: Any) -> Dataset:
    """A DX radiograph of 12 bits with these 8-bit grey samples, and a patient everywhere."""
    height, width = samples.shape
    stored = (samples.astype(np.uint32) * 4095 + 127) // 255
    found = radiograph(
        number,
        SOPInstanceUID=f"{ROOT}.1.{number}",
        StudyInstanceUID=f"{ROOT}.2.{number}",
        SeriesInstanceUID=f"{ROOT}.3.{number}",
        Rows=height,
        Columns=width,
        PixelData=stored.astype("<u2").tobytes(),
        PatientID=f"{NUMBER}-{number}",
        PatientBirthDate=BORN,
        PatientName=f"{NAME}^Maria",
        AccessionNumber=f"{NUMBER}A{number}",
    )
    for tag, (kind, _, _, retired, keyword) in DicomDictionary.items():
        if retired or not keyword or tag in found or keyword_for_tag(tag) != keyword:
            continue
        if tag >> 16 in (0x0000, 0x0002, 0x0004, 0x0028, 0x0040, 0x2050, 0x7FE0, 0xFFFC, 0xFFFE):
            continue
        if kind in _TEXT:
            found.add_new(tag, kind, f"{NAME} {NUMBER}"[:16])
        elif kind == "PN":
            found.add_new(tag, kind, f"{NAME}^Maria")
        elif kind == "DA":
            found.add_new(tag, kind, BORN)
    found.Manufacturer = f"for {NAME}"
    private = found.private_block(0x0011, f"{NAME} OF ACME", create=True)
    private.add_new(0x01, "LO", f"{NAME} {NUMBER}")
    item = Dataset()
    item.RequestedProcedureDescription = f"thorax of {NAME}"
    found.RequestAttributesSequence = [item]
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    return found


def write_hospital(root: Path, training: int, judged: int) -> Path:
    """A folder of them with `labels.csv`; names of folders and files have a patient, too."""
    rows = ["SOPInstanceUID,label,split,ward"]
    for number, shot in enumerate(shots(training, judged)):
        folder = root / f"{NAME}_{NUMBER}_{number}" / BORN
        write_dicom(folder / f"{NAME}{number}", shot.dataset)
        rows.append(f"{shot.dataset.SOPInstanceUID},{shot.label},{shot.split},{NAME}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root
