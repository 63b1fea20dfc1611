from pathlib import Path

import pytest

from components.cases.inspection import (
    CASE,
    LEFT_OUT,
    PICTURES,
    REFUSED,
    Inspection,
    inspect_source,
)
from components.cases.reading import PLAIN
from components.records.errors import SourceError
from tests.components.cases.making import write_class_folders, write_npz, write_picture
from tests.components.dicom.archives import radiograph, write_archive, write_dicom
from tests.refusing import refused


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))


def seen(path: Path) -> Inspection:
    return inspect_source(str(path), PLAIN)


def counts(found: Inspection) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (becomes, _, _), number in found.groups.items():
        sums[becomes] = sums.get(becomes, 0) + number
    return sums


def test_dicom_is_told_apart_without_any_label(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs", cases=20)
    (root / "labels.csv").unlink()
    write_dicom(root / "lateral", radiograph(100, ViewPosition="LL"))
    write_dicom(root / "burned", radiograph(101, BurnedInAnnotation="YES"))
    (root / "notes.txt").write_text("from Monday")
    found = seen(root)
    assert counts(found) == {CASE: 20, LEFT_OUT: 2, REFUSED: 1}
    assert (LEFT_OUT, "view LL", "") in found.groups
    (refusal,) = found.refused
    assert ("BurnedInAnnotation" in refusal.reason, refusal.path) == (True, "burned")
    assert len(found.pictures) == PICTURES


def test_what_machines_read_has_paths_only_where_they_are_asked_for(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs", cases=4)
    write_dicom(root / "Rossi", radiograph(101, BurnedInAnnotation="YES"))
    found = seen(root)
    assert "Rossi" not in str(found.as_json(paths=False))
    assert "Rossi" in str(found.as_json(paths=True))


def test_one_dicom_file(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "IM0001", radiograph(1))
    found = seen(path)
    assert counts(found) == {CASE: 1}
    ((_, what, how),) = found.groups
    assert (what, "MONOCHROME2" in how, "12 of 16" in how) == ("DX CHEST PA", True, True)


def test_one_image(tmp_path: Path) -> None:
    write_picture(tmp_path / "one.png", 1)
    assert list(seen(tmp_path / "one.png").groups) == [(CASE, "image", "PNG, grey, 8 bits")]
    (tmp_path / "two.png").write_bytes(b"no image")
    (refusal,) = seen(tmp_path / "two.png").refused
    assert "PNG" in refusal.reason


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_other_sources_are_counted_by_split_and_label(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        path = write_class_folders(tmp_path / "data", patients=10)
        (path / "train" / "NORMAL" / "notes.txt").write_text("x")
    else:
        path = write_npz(tmp_path / "data.npz")
    found = seen(path)
    whats = {what for _, what, _ in found.groups}
    assert {
        f"{s}, {x}" for s in ("train", "tune", "test") for x in ("positive", "negative")
    } <= whats
    assert len(found.refused) == (kind == "folder")


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with refused(SourceError, "notes.txt"):
        seen(tmp_path / "notes.txt")
