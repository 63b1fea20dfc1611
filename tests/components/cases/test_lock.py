from collections.abc import Iterator
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.cases.case import BadCase, Case, Shard
from components.cases.images import bytes_sha256, pixels_sha256
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.errors import IntegrityError, NothingEvaluated, SourceError
from tests.components.cases.making import read_cases, write_npz


def test_the_test_split_is_locked_by_content(tmp_path: Path) -> None:
    source = open_source(str(write_npz(tmp_path / "chest.npz", rows=6)))
    path = tmp_path / "own" / "case_set.json"
    made = lock_source(source, path, author="A. Radiologist", reason="first")
    found = load_case_set(path)
    assert found == made and (found.name, found.version, found.parent) == ("chest", 1, None)
    assert (found.author, found.reason, found.source) == ("A. Radiologist", "first", "chest.npz")
    for case, kept in zip(read_cases(source, "test"), found.cases, strict=True):
        assert (kept.case_id, kept.patient_id) == (case.case_id, case.patient_id)
        assert kept.label == case.label and dict(kept.attributes) == dict(case.attributes)
        assert kept.bytes_sha256 == bytes_sha256(case.image)
        assert kept.pixels_sha256 == pixels_sha256(case.image)


def test_the_same_data_lock_to_the_same_root(tmp_path: Path) -> None:
    source = open_source(str(write_npz(tmp_path / "chest.npz", rows=6)))
    roots = {
        lock_source(source, tmp_path / name, author="A", reason=name).merkle_root for name in "ab"
    }
    assert len(roots) == 1


def test_a_lock_is_not_written_over(tmp_path: Path) -> None:
    source = open_source(str(write_npz(tmp_path / "chest.npz", rows=6)))
    path = tmp_path / "case_set.json"
    lock_source(source, path, author="A", reason="first")
    before = path.read_bytes()
    with pytest.raises(IntegrityError, match="a case set is locked here already"):
        lock_source(source, path, author="B", reason="second")
    assert path.read_bytes() == before


class Planted:
    """A source whose test split is what it is given."""

    spec = name = "planted"
    synthetic = False

    def __init__(self, *cases: Case | BadCase) -> None:
        self._cases = cases

    def fingerprint(self) -> str:
        return "0" * 64

    def shards(self, split: str, *, cases_per_shard: int = 512) -> list[Shard]:
        return [Shard(split, 0, len(self._cases))] if self._cases and split == "test" else []

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        return iter(self._cases)


def test_an_unusable_case_locks_nothing(tmp_path: Path) -> None:
    source = Planted(BadCase("scans/7.png", "the file ends early"))
    with pytest.raises(SourceError, match="scans/7.png: the file ends early; remove it"):
        lock_source(source, tmp_path / "case_set.json", author="A", reason="r")
    assert not (tmp_path / "case_set.json").exists()


def test_a_source_without_test_cases_locks_nothing(tmp_path: Path) -> None:
    with pytest.raises(NothingEvaluated, match="got no case to lock"):
        lock_source(Planted(), tmp_path / "case_set.json", author="A", reason="r")
    assert not (tmp_path / "case_set.json").exists()
