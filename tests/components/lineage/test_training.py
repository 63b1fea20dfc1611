import os
from hashlib import sha256
from pathlib import Path

import pytest

from components.lineage.training import (
    KINDS,
    TrainingRow,
    check_manifest,
    find_rows,
    index_path,
    parse_row,
    read_lines,
    read_manifest,
    search,
    write_manifest,
)
from components.records.errors import IntegrityError
from components.records.merkle import merkle_root
from tests.refusing import refused


def row(number: int, **changes: object) -> TrainingRow:
    values: dict[str, object] = {
        "split": "tune" if number % 5 == 0 else "train",
        "case_id": f"case-{number}",
        "patient_id": f"patient-{number // 2}",
        "label": number % 2,
        "bytes_sha256": sha256(b"bytes %d" % number).hexdigest(),
        "pixels_sha256": sha256(b"pixels %d" % number).hexdigest(),
        "attributes": {"site": "Süd"},
    }
    return TrainingRow(**{**values, **changes})  # type: ignore[arg-type]


def rows(count: int) -> list[TrainingRow]:
    return [row(number) for number in range(count)]


def test_counts_cases_positives_patients_and_splits(tmp_path: Path) -> None:
    written = write_manifest(rows(11), tmp_path)
    assert (written.cases, written.positives, written.patients) == (11, 5, 6)
    assert written.splits == {"train": 8, "tune": 3}


def test_is_named_by_the_merkle_root_of_its_lines(tmp_path: Path) -> None:
    written = write_manifest(rows(7), tmp_path)
    lines = sorted((*r.order, r.line()) for r in rows(7))
    assert written.root == merkle_root(line for _, _, line in lines)
    assert written.path == tmp_path / f"{written.root}.jsonl"
    assert list(read_lines(written.path)) == [line for _, _, line in lines]


def test_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    forth, back = write_manifest(rows(9), tmp_path), write_manifest(reversed(rows(9)), tmp_path)
    assert forth == back


@pytest.mark.parametrize("at_once", [1, 2, 3, 10, 11])
def test_sorting_in_portions_gives_the_same_manifest(tmp_path: Path, at_once: int) -> None:
    cases = [*rows(10), row(3)]  # the same case twice stays twice
    whole = write_manifest(cases, tmp_path / "whole")
    portions = write_manifest(cases, tmp_path / "portions", at_once=at_once)
    assert portions.root == whole.root
    assert portions.path.read_bytes() == whole.path.read_bytes()


def test_same_case_under_another_label_is_other_training_data(tmp_path: Path) -> None:
    changed = [row(0, label=1), *rows(5)[1:]]
    assert write_manifest(changed, tmp_path).root != write_manifest(rows(5), tmp_path).root


def test_leaves_a_manifest_that_is_there_as_it_is(tmp_path: Path) -> None:
    path = write_manifest(rows(5), tmp_path).path
    os.utime(path, (1, 1))
    write_manifest(rows(5), tmp_path)
    assert path.stat().st_mtime == 1


def test_leaves_no_temporary_file_behind(tmp_path: Path) -> None:
    written = write_manifest(rows(5), tmp_path, at_once=2)
    assert set(tmp_path.iterdir()) == {written.path, index_path(written.path)}


def test_leaves_nothing_behind_where_the_rows_fail(tmp_path: Path) -> None:
    with refused(IntegrityError, r"'case-\ud800'"):
        write_manifest([*rows(4), row(4, case_id="case-\ud800")], tmp_path, at_once=2)
    assert list(tmp_path.iterdir()) == []


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    odd = row(3, case_id='a\'; DROP TABLE "x"\n\u2028漢', attributes={"a\nb": ""})
    written = write_manifest([*rows(3), odd], tmp_path)
    assert sorted(read_manifest(written.path), key=str) == sorted([*rows(3), odd], key=str)
    assert check_manifest(written.path, root=written.root) == written


def test_no_case_at_all_has_the_root_of_nothing(tmp_path: Path) -> None:
    written = write_manifest([], tmp_path)
    assert written.root == merkle_root(())
    assert check_manifest(written.path).cases == 0


def test_an_altered_label_is_found_before_any_row_is_read(tmp_path: Path) -> None:
    path = write_manifest(rows(5), tmp_path).path
    path.write_bytes(path.read_bytes().replace(b'"label":1', b'"label":0', 1))
    with refused(IntegrityError, path):
        next(read_manifest(path))


def test_another_manifest_under_its_name_is_found_by_the_recorded_root(tmp_path: Path) -> None:
    other = write_manifest(rows(4), tmp_path)
    recorded = write_manifest(rows(5), tmp_path)
    with refused(IntegrityError, recorded.root[:12]):
        check_manifest(other.path, root=recorded.root)


def test_lines_out_of_order_are_refused_although_the_root_fits(tmp_path: Path) -> None:
    lines = [r.line() for r in sorted(rows(5), key=lambda r: r.order, reverse=True)]
    path = tmp_path / f"{merkle_root(lines)}.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    with refused(IntegrityError, f"{path}:2: "):
        check_manifest(path)


def test_a_torn_last_line_is_refused(tmp_path: Path) -> None:
    path = write_manifest(rows(5), tmp_path).path
    path.write_bytes(path.read_bytes()[:-1])
    with refused(IntegrityError, path, "ends within a line"):
        check_manifest(path)


def test_a_missing_manifest_is_an_integrity_error(tmp_path: Path) -> None:
    with refused(IntegrityError, f"{'0' * 64}.jsonl"):
        check_manifest(tmp_path / f"{'0' * 64}.jsonl")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        row(1).line().replace(b'"label":1', b'"label":2'),
        row(1).line().replace(b'"label":1', b'"label":true'),
        row(1).line().replace(b'"case-1"', b'""'),
        row(1).line().replace(b'"split":"train"', b'"split":null'),
        row(1).line().replace(b'"label":1', b'"label":1,"more":1'),
        row(1).line().replace(b'"site":"', b'"site":1,"x":"'),
        row(1).line().replace(row(1).pixels_sha256.encode(), b"not a hash"),
    ],
)
def test_a_line_that_is_no_case_is_none(line: bytes) -> None:
    assert parse_row(row(1).line()) == row(1)
    assert parse_row(line) is None


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

    monkeypatch.setattr("components.lineage.training.write_atomically", refuse)
    assert find_rows(path, [("case_id", "case-7")]) == [row(7)]


def test_no_case_at_all_is_searched_too(tmp_path: Path) -> None:
    assert find_rows(write_manifest([], tmp_path).path, [("case_id", "case-7")]) == []
