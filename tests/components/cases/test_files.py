import os
from pathlib import Path

import pytest

from components.cases.files import ImageFile, files_sha256, read_image_file
from components.records.case import BadCase, Case
from components.records.errors import SourceError
from tests.components.cases.making import encoded, picture
from tests.refusing import refused


def image_file(path: str) -> ImageFile:
    return ImageFile(path, "id", "patient", 1, {"site": "A"})


def test_good_file_becomes_its_case(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").write_bytes(image := encoded(picture(1)))
    case = read_image_file(tmp_path, image_file("a.PNG"))
    assert case == Case("id", "patient", 1, image, {"site": "A"})


def test_broken_image_becomes_a_bad_case_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture(1))[:100])
    bad = read_image_file(tmp_path, image_file("a.png"))
    assert isinstance(bad, BadCase)
    assert bad.where == "a.png" and "\n" not in bad.reason


@pytest.mark.parametrize(
    "name", ["notes.txt", "absent.png", "folder.png", "pipe.png", "li\nne.png"]
)
def test_what_is_no_image_file_becomes_a_bad_case(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("seen twice")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "li\nne.png").write_bytes(encoded(picture(1)))
    os.mkfifo(tmp_path / "pipe.png")
    bad = read_image_file(tmp_path, image_file(name))
    assert isinstance(bad, BadCase)
    assert "\n" not in bad.where + bad.reason


def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.cases.files.MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(encoded(picture(1)))
    bad = read_image_file(tmp_path, image_file("a.png"))
    assert isinstance(bad, BadCase) and "at most 10" in bad.reason


def test_fingerprint_sees_content_and_names_but_not_the_order(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("same")
    first = files_sha256(tmp_path, ["a", "b"])
    assert files_sha256(tmp_path, ["b", "a"]) == first
    assert files_sha256(tmp_path, ["a", "c"]) != first
    (tmp_path / "b").write_text("Same")
    assert files_sha256(tmp_path, ["a", "b"]) != first


def test_fingerprint_of_an_absent_file_is_an_error(tmp_path: Path) -> None:
    with refused(SourceError, "absent"):
        files_sha256(tmp_path, ["absent"])
