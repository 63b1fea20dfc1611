"""The picture beside a report, as a validator and as the eye has it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.cases.container import write_png
from components.dicom.capture import write_picture
from components.dicom.pixels import read_pixels
from components.dicom.result import picture_uid
from tests.components.dicom.archives import dciodvfy, write_dicom
from tests.components.dicom.test_report import SOURCES
from tests.pipeline.pacs.making import FIRST, chest, model_result


@pytest.mark.parametrize("name", SOURCES)
def test_dciodvfy_has_nothing_against_a_picture(name: str, tmp_path: Path) -> None:
    source = SOURCES[name]()
    made = write_picture(source, write_png(read_pixels(source)), model_result())
    assert dciodvfy(write_dicom(tmp_path / "picture", made)) == []


def test_the_picture_is_of_the_study_names_its_source_and_says_what_it_is() -> None:
    source = chest(1, LossyImageCompression="01")
    made = write_picture(source, write_png(read_pixels(source)), model_result())
    assert made.StudyInstanceUID == source.StudyInstanceUID
    assert made.SOPInstanceUID == picture_uid(source.SOPInstanceUID, FIRST)
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert made.LossyImageCompression == "01"
    for text in (made.SeriesDescription, made.DerivationDescription, made.ManufacturerModelName):
        assert "not a medical device" in text


def test_radiograph_and_map_stand_side_by_side_on_black() -> None:
    source = chest(1)
    made = write_picture(source, write_png(read_pixels(source)), model_result())
    sheet = made.pixel_array
    grey = np.ptp(sheet.astype(int), axis=2) == 0
    left, right = np.array_split(grey[60:800], 2, axis=1)
    assert left.all() and right.mean() < 0.2
    assert (sheet[:4] == 0).all() and (sheet[:, :8] == 0).all()
    assert Image.fromarray(sheet).size[0] > 1000
