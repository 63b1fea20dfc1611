import os
from pathlib import Path

import pytest

from components.lineage.training import write_manifest
from components.lineage.training_search import KINDS, find_rows, index_path, search
from tests.components.lineage.test_training import row, rows


@pytest.mark.parametrize("kind", KINDS)
def test_finds_a_case_by_each_of_its_names(tmp_path: Path, kind: str) -> None:
    path = write_manifest(rows(50), tmp_path).path
    wanted = row(17)
    found = find_rows(path, [(kind, getattr(wanted, kind))])
    assert wanted in found
    assert {r.case_id for r in found} == (
        {"case-16", "case-17"} if kind == "patient_id" else {"case-17"}
    )


def test_finds_what_has_any_of_several_values_once(tmp_path: Path) -> None:
    path = write_manifest(rows(50), tmp_path).path
    pixels = ("pixels_sha256", row(3).pixels_sha256)
    wanted = [("case_id", "case-3"), pixels, ("patient_id", "patient-8"), ("case_id", "case-17")]
    assert {r.case_id for r in find_rows(path, wanted)} == {"case-3", "case-16", "case-17"}


def test_names_each_manifest_that_has_the_case(tmp_path: Path) -> None:
    first, second = write_manifest(rows(5), tmp_path), write_manifest(rows(8), tmp_path)
    write_manifest([row(99)], tmp_path)
    assert set(search(tmp_path, [("case_id", "case-2")])) == {first.root, second.root}
    assert set(search(tmp_path, [("case_id", "case-6")])) == {second.root}
    assert search(tmp_path, [("case_id", "nobody")]) == {}


@pytest.mark.parametrize("word", ["", "'; DROP TABLE x --", "a\nb", "漢字", "\ud800", "z" * 5000])
def test_any_text_may_be_asked_for(tmp_path: Path, word: str) -> None:
    write_manifest(rows(5), tmp_path)
    assert search(tmp_path, [(kind, word) for kind in KINDS]) == {}


def test_a_hash_that_begins_alike_is_not_the_hash(tmp_path: Path) -> None:
    path = write_manifest(rows(5), tmp_path).path
    near = row(2).pixels_sha256[:63] + ("0" if row(2).pixels_sha256[63] != "0" else "1")
    assert find_rows(path, [("pixels_sha256", near)]) == []


@pytest.mark.parametrize("damage", ["missing", "empty", "short", "other", "older"])
def test_an_index_that_does_not_fit_is_made_again(tmp_path: Path, damage: str) -> None:
    path = write_manifest(rows(20), tmp_path).path
    index = index_path(path)
    good = index.read_bytes()
    if damage == "missing":
        index.unlink()
    elif damage == "older":
        index.write_bytes(good[:40] + b"\0" * (len(good) - 40))
        os.utime(index, (1, 1))
    else:
        other = index_path(write_manifest(rows(3), tmp_path / "other").path).read_bytes()
        index.write_bytes({"empty": b"", "short": good[:-1], "other": other}[damage])
    assert find_rows(path, [("case_id", "case-7")]) == [row(7)]
    assert index.read_bytes() == good


def test_an_index_that_leads_into_a_line_is_made_again(tmp_path: Path) -> None:
    path = write_manifest(rows(20), tmp_path).path
    index = index_path(path)
    good = index.read_bytes()
    offsets = (len(good) - 32) // 2 + 32
    index.write_bytes(good[:offsets] + b"\1\0\0\0\0\0\0\0" * ((len(good) - offsets) // 8))
    assert find_rows(path, [("case_id", "case-7")]) == [row(7)]
    assert index.read_bytes() == good


def test_answers_where_the_index_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_manifest(rows(20), tmp_path).path
    index_path(path).unlink()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("components.lineage.training_search.write_atomically", refuse)
    assert find_rows(path, [("case_id", "case-7")]) == [row(7)]


def test_no_case_at_all_is_searched_too(tmp_path: Path) -> None:
    assert find_rows(write_manifest([], tmp_path).path, [("case_id", "case-7")]) == []
