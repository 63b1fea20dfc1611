import os
from pathlib import Path

import pytest

from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_tree, write_atomically
from tests.refusing import refused


def test_a_crash_while_writing_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "golden.json"
    write_atomically(target, b"old")

    def crash(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.json", b"x")
    assert (tmp_path / "a" / "b.json").read_bytes() == b"x"


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": [0.1, 1e-320], "a": "é"}) == '{"a":"é","b":[0.1,1e-320]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_canonical_json_refuses_what_json_cannot_say(value: float) -> None:
    with pytest.raises(ValueError):
        canonical_json({"score": value})


def tree(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def test_tree_hash_sees_content_names_and_nothing_else(tmp_path: Path) -> None:
    first = sha256_tree(tree(tmp_path / "1", a="x", sub__b="y"))
    same = tree(tmp_path / "2", sub__b="y", a="x")
    (same / "empty").mkdir()
    os.utime(same / "a", (0, 0))
    assert sha256_tree(same) == first
    assert sha256_tree(tree(tmp_path / "3", a="x", sub__b="z")) != first
    assert sha256_tree(tree(tmp_path / "4", a="x", sub__c="y")) != first
    assert sha256_tree(tree(tmp_path / "5", a="x", b="y")) != first


def test_tree_hash_refuses_a_folder_without_files(tmp_path: Path) -> None:
    with refused(IntegrityError, tmp_path / "absent"):
        sha256_tree(tmp_path / "absent")


def test_tree_hash_refuses_a_linked_folder(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", a="x")
    model = tree(tmp_path / "model", b="y")
    (model / "variables").symlink_to(tmp_path / "elsewhere")
    with refused(IntegrityError, "variables"):
        sha256_tree(model)
