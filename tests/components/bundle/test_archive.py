"""A hostile zip is refused in one line, and nothing of it reaches the disk."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set, save_case_set
from components.bundle.archive import archive_bytes, as_path, read_archive, write_archive
from components.records.errors import ConfigError, IntegrityError
from tests.components.planting import locked
from tests.refusing import refused

FILES = {"a.json": b"{}\n", "training/b.jsonl": b"x" * 3000}


def packed(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.comment = comment
    return path


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    write_archive(tmp_path / "b.zip", FILES)
    assert read_archive(tmp_path / "b.zip") == FILES


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    assert archive_bytes(FILES) == archive_bytes(dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "a/../../b",
        "a\\b",
        "C:x",
        "a//b",
        "./a",
        "",
        "a/",
        ".hidden",
        "a\nb",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "b.zip", ("sound", b""), (zipfile.ZipInfo(name), b"x"))
    with refused(IntegrityError, path):
        read_archive(path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_name_that_no_bundle_may_hold_is_not_written(tmp_path: Path) -> None:
    with refused(ConfigError, "../a"):
        write_archive(tmp_path / "b.zip", {"../a": b""})


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.json", "A.json"])
def test_a_file_that_stands_twice_is_refused(tmp_path: Path, second: str) -> None:
    path = packed(tmp_path / "b.zip", ("a.json", b"1"), (second, b"2"))
    with refused(IntegrityError, path, "twice"):
        read_archive(path)


@pytest.fixture
def one_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.bundle.archive.MOST_BYTES", 1_000_000)


@pytest.mark.usefixtures("one_megabyte")
def test_a_bomb_is_refused_while_it_is_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "b.zip", ("a", b"\0" * 5_000_000))
    assert path.stat().st_size < 10_000
    with refused(IntegrityError, path, "1000000 bytes"):
        read_archive(path)


@pytest.mark.usefixtures("one_megabyte")
def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "b.zip", ("a", b"\0" * 5_000_000))
    content = path.read_bytes().replace(
        (5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    )
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        read_archive(path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.bundle.archive.MOST_FILES", 10)
    path = packed(tmp_path / "b.zip", *((f"f{i}", b"") for i in range(20)))
    with refused(IntegrityError, path, "20 files", "10"):
        read_archive(path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("a.json")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with refused(IntegrityError, "b.zip: ", "link"):
        read_archive(packed(tmp_path / "b.zip", (entry, b"/etc/passwd")))


@pytest.mark.parametrize("where", ["before", "comment"])
def test_bytes_that_belong_to_no_file_are_refused(tmp_path: Path, where: str) -> None:
    path = packed(tmp_path / "b.zip", ("a", b"x"), comment=b"hello" if where == "comment" else b"")
    if where == "before":
        path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    with refused(IntegrityError, path, "before or after"):
        read_archive(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", archive_bytes(FILES)[:-30]])
def test_what_is_no_zip_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    with refused(IntegrityError, "b.zip: ", "zip"):
        read_archive(tmp_path / "b.zip")


def test_a_flipped_bit_in_packed_bytes_is_found(tmp_path: Path) -> None:
    content = bytearray(archive_bytes(FILES))
    content[content.index(b"a.json") + 8] ^= 16
    (tmp_path / "b.zip").write_bytes(content)
    with refused(IntegrityError, "b.zip: "):
        read_archive(tmp_path / "b.zip")


def test_an_absent_bundle_is_a_usage_error(tmp_path: Path) -> None:
    with refused(ConfigError, tmp_path / "b.zip"):
        read_archive(tmp_path / "b.zip")


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO(archive_bytes({"a": b"x"}))
    content = bytearray(out.getvalue())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    (tmp_path / "b.zip").write_bytes(content)
    with refused(IntegrityError, "b.zip: ", "encrypted"):
        read_archive(tmp_path / "b.zip")


def test_a_case_set_in_memory_reads_as_the_one_on_disk(tmp_path: Path) -> None:
    save_case_set(locked(3, 3), tmp_path / "case_set.json")
    content = (tmp_path / "case_set.json").read_bytes()
    assert load_case_set(as_path("case_set.json", content)) == locked(3, 3)


def test_a_fault_is_named_with_the_files_name() -> None:
    with refused(IntegrityError, "b.zip: case_set.json: ", "JSON"):
        load_case_set(as_path("b.zip: case_set.json", b"{"))
