import os
import threading
import time
from pathlib import Path

import pytest

from components.dicom import index
from components.dicom.admission import Admission
from components.dicom.files import digest_of, walk
from components.dicom.index import NOT_DICOM, FactsIndex, read_ahead
from components.dicom.pseudonyms import Pseudonyms
from tests.components.dicom.archives import radiograph, write_archive, write_dicom

HASHES = Pseudonyms(b"a secret of this site")


def indexed(tmp_path: Path, **settings: str) -> FactsIndex:
    return FactsIndex(tmp_path / "pacs", Admission(**settings), HASHES, tmp_path / "cache")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "pacs", cases=6)


def test_hidden_files_and_links_are_passed_over(root: Path) -> None:
    before = walk(root)
    (root / ".DS_Store").write_text("x")
    (root / ".hidden").mkdir()
    (root / ".hidden" / "file").write_text("x")
    (root / "link").symlink_to("/etc/hostname")
    (root / "folder").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    assert walk(root) == before
    assert [file.path for file in before] == sorted(file.path for file in before)


def test_the_digest_follows_names_sizes_and_times(root: Path) -> None:
    seen = {digest_of(walk(root))}
    first = root / walk(root)[0].path
    os.utime(first, (1, 1))
    seen.add(digest_of(walk(root)))
    first.rename(first.with_name("other"))
    seen.add(digest_of(walk(root)))
    first.with_name("other").write_bytes(b"")
    seen.add(digest_of(walk(root)))
    assert len(seen) == 4


def test_only_what_is_new_is_parsed_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = list(indexed(tmp_path).facts(walk(root)))
    write_dicom(root / "new", radiograph(50))
    parsed = []
    real = index.parse_dataset

    def counted(stream, *, pixels):  # type: ignore[no-untyped-def]
        parsed.append(Path(stream.name).name)
        return real(stream, pixels=pixels)

    monkeypatch.setattr(index, "parse_dataset", counted)
    second = list(indexed(tmp_path).facts(walk(root)))
    assert parsed == ["new"]
    assert set(dict(first)) < set(dict(second))
    assert all(pair in second for pair in first)


def test_a_file_that_changed_is_parsed_again(root: Path, tmp_path: Path) -> None:
    list(indexed(tmp_path).facts(walk(root)))
    write_dicom(root / "Rossi_Patient0" / "IM0000", radiograph(0, ViewPosition="AP"))
    facts = dict((file.path, it) for file, it in indexed(tmp_path).facts(walk(root)))
    assert facts["Rossi_Patient0/IM0000"].view == "AP"


def test_other_settings_and_other_secrets_have_an_index_of_their_own(
    root: Path, tmp_path: Path
) -> None:
    list(indexed(tmp_path).facts(walk(root)))
    other = FactsIndex(root, Admission(), Pseudonyms(b"another"), tmp_path / "cache")
    ids = {facts.case_id for _, facts in other.facts(walk(root))}
    assert ids.isdisjoint(facts.case_id for _, facts in indexed(tmp_path).facts(walk(root)))


def test_an_index_with_an_unfinished_line_is_used_as_far_as_it_goes(
    root: Path, tmp_path: Path
) -> None:
    expected = list(indexed(tmp_path).facts(walk(root)))
    (path,) = (tmp_path / "cache" / "dicom").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert list(indexed(tmp_path).facts(walk(root))) == expected


def test_a_cache_that_cannot_be_written_costs_only_time(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    facts = list(indexed(tmp_path).facts(walk(root)))
    assert [it.other for _, it in facts].count(NOT_DICOM) == 1  # labels.csv
    assert len(facts) == 7


def test_what_cannot_be_read_is_said_of_the_file(root: Path, tmp_path: Path) -> None:
    found = walk(root)
    (root / found[0].path).unlink()
    facts = dict(indexed(tmp_path).facts(found))
    assert "cannot be read" in facts[found[0]].fault


def test_results_come_in_order_and_few_wait() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def slow(number: int) -> int:
        with lock:
            started.append(number)
        time.sleep(0.01 if number % 3 else 0.03)
        return number

    results = read_ahead(slow, range(20), threads=3)
    assert next(results) == 0
    assert len(started) <= 5
    assert [0, *results] == list(range(20))


def test_an_error_comes_where_its_result_would() -> None:
    def odd(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    results = read_ahead(odd, range(5), threads=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(results)
