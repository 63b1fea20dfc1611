from pathlib import Path

import pytest

from components.cases.sources import open_source
from components.records.errors import SourceError
from tests.components.cases.making import write_class_folders, write_npz, write_picture
from tests.refusing import refused


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        ("phantm", ["did you mean 'phantom'"]),
        ("medmnst:pneumoniamnist", ["did you mean 'medmnist:pneumoniamnist'"]),
        ("medmnist:breast", ["'breast'"]),
        ("no/such/place", ["no/such/place", "no such file or folder"]),
        ("", []),
        ("zero\0byte", ["zero"]),
    ],
)
def test_unknown_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, facts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(SourceError, *facts):
        open_source(spec)


def test_misspelt_path_suggests_what_stands_beside_it(tmp_path: Path) -> None:
    write_npz(tmp_path / "chest.npz")
    with refused(SourceError, f"did you mean '{tmp_path}/chest.npz'"):
        open_source(f"{tmp_path}/chets.npz")


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with refused(SourceError, tmp_path, "empty"):
        open_source(str(tmp_path))


def test_folder_of_loose_images_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)
    with refused(SourceError, "['a.png']", "manifest.csv"):
        open_source(str(tmp_path))


def test_file_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)
    with refused(SourceError, "a.png"):
        open_source(str(tmp_path / "a.png"))


def test_npz_folder_and_manifest_are_told_apart(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz")
    root = write_class_folders(tmp_path / "chest")
    assert type(open_source(str(tmp_path / "a.npz"))).__name__ == "NpzSource"
    assert len(open_source(str(root)).shards("test")) == 1
    (root / "manifest.csv").write_text("path,label\n")
    with refused(SourceError, "no positive"):
        open_source(str(root))


def test_relative_path_is_canonical_and_reads_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "a.npz")
    monkeypatch.chdir(tmp_path)
    source = open_source("./x/../a.npz")
    assert (source.spec, source.name) == ("a.npz", "a")
    monkeypatch.chdir("/")
    assert len(source.fingerprint()) == 64
