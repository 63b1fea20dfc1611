"""Folders of DICOM files that are sorted into classes, and which folders are of DICOM at all."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from components.cases.dicom_folder import is_dicom_folder
from components.cases.reading import Reading
from components.cases.sources import open_source
from components.records.case import SPLITS
from tests.components.cases.making import read_cases, read_split
from tests.components.dicom.archives import radiograph, write_archive, write_dicom


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))


def write_classes(root: Path, splits: Sequence[str]) -> Path:
    for number in range(12 * len(splits)):
        folder = root / splits[number // 12] / ("NORMAL", "PNEUMONIA")[number % 2]
        write_dicom(folder / f"Rossi_{number}" / "IM0001", radiograph(number))
    return root


def test_class_folders_of_dicom_are_labels_and_splits(tmp_path: Path) -> None:
    source = open_source(str(write_classes(tmp_path / "sorted", ("train", "val", "test"))))
    assert [len(read_split(source, split)) for split in SPLITS] == [12, 12, 12]
    assert [case.label for case in read_cases(source, "test")].count(1) == 6
    assert "NORMAL is negative (0), PNEUMONIA is positive (1)" in source.read_as.lines[0]


def test_without_a_folder_to_tune_on_a_fifth_of_the_patients_of_train_is(tmp_path: Path) -> None:
    folders = write_classes(tmp_path / "sorted", ("train", "train", "train", "train", "test"))
    sizes = [len(read_split(open_source(str(folders)), split)) for split in SPLITS]
    assert sum(sizes) == 60 and sizes[2] == 12 and 4 <= sizes[1] <= 18


def test_a_share_to_tune_on_leaves_the_folder_to_tune_on_out(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "sorted", ("train", "train", "train", "val", "test"))
    source = open_source(str(root), Reading(tune_from_train=0.4))
    sizes = [len(read_split(source, split)) for split in SPLITS]
    assert sum(sizes) == 48 and sizes[2] == 12 and sizes[1] > 6
    assert "12 in the folder to tune on" in " ".join(source.read_as.lines)


def test_pictures_with_a_dicom_file_among_them_are_no_dicom_folder(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "sorted", ("train", "test"))
    assert is_dicom_folder(root)
    (root / "test" / "NORMAL" / "a.png").write_bytes(b"\x89PNG")
    assert not is_dicom_folder(root)


def test_a_share_to_tune_on_divides_what_the_table_gives_to_train_on(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs", cases=80)
    source = open_source(str(root), Reading(tune_from_train=0.5))
    sizes = [len(read_split(source, split)) for split in SPLITS]
    assert sum(sizes) == 80 and sizes[2] == 20 and sizes[1] > 20
