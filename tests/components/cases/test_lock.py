import dataclasses
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet, load_case_set
from components.cases.images import bytes_sha256, encode_png, pixels_sha256
from components.cases.lock import (
    apply_lock,
    find_cases,
    lock_source,
    picture_at,
    read_pictures,
    verify_source,
)
from components.cases.sources import open_source
from components.cases.traits import perceptual_hash
from components.phantom.source import PhantomSource
from components.records.case import BadCase, Case, Shard
from components.records.errors import IntegrityError, NothingEvaluated, SourceError
from tests.components.cases.making import encoded, picture, read_cases, write_npz
from tests.refusing import refused


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
    with refused(IntegrityError, path):
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
    with refused(SourceError, "scans/7.png: the file ends early"):
        lock_source(source, tmp_path / "case_set.json", author="A", reason="r")
    assert not (tmp_path / "case_set.json").exists()


def test_a_source_without_test_cases_locks_nothing(tmp_path: Path) -> None:
    with refused(NothingEvaluated, "no case"):
        lock_source(Planted(), tmp_path / "case_set.json", author="A", reason="r")
    assert not (tmp_path / "case_set.json").exists()


# The source as an amended lock governs it

CASES = [Case(f"c{i}", f"p{i}", i % 2, encoded(picture(i)), {"site": "A"}) for i in range(6)]
REST = CASES[1:]


def first_case(**change: Any) -> list[Case | BadCase]:
    return [dataclasses.replace(CASES[0], **change), *REST]


@pytest.fixture
def lock(tmp_path: Path) -> CaseSet:
    return lock_source(Planted(*CASES), tmp_path / "case_set.json", author="A", reason="r")


@pytest.fixture
def second(lock: CaseSet) -> CaseSet:
    """Version 2: c1 retired, c2 relabelled."""
    changes = CaseChanges(retire=("c1",), relabel=(("c2", 1),))
    return amend_case_set(lock, changes, author="A", reason="r", date="2025-04-01")


def test_an_amended_lock_governs_what_is_read(second: CaseSet) -> None:
    source = apply_lock(Planted(*CASES), second)
    found = {case.case_id: case.label for case in read_cases(source, "test")}
    assert found == {"c0": 0, "c2": 1, "c3": 1, "c4": 0, "c5": 1}
    assert (source.name, source.spec, source.fingerprint()) == ("planted", "planted", "0" * 64)
    assert pickle.loads(pickle.dumps(apply_lock(PhantomSource.parse("phantom"), second)))


def test_a_lock_that_was_never_amended_leaves_the_source_alone(lock: CaseSet) -> None:
    source = Planted(*CASES)
    assert apply_lock(source, lock) is source


def test_what_an_amendment_changed_verifies_with_the_source_corrected_or_not(
    second: CaseSet,
) -> None:
    verify_source(Planted(*CASES), second)
    corrected = dataclasses.replace(CASES[2], label=1)
    verify_source(Planted(CASES[0], corrected, *CASES[3:]), second)


@pytest.mark.parametrize(
    "facts, cases",
    [
        (["missing: 1 (c5)"], CASES[:5]),
        (["additional: 1 (c9)"], [*CASES, dataclasses.replace(CASES[0], case_id="c9")]),
        (["duplicated: 1 (c0)"], [CASES[0], *CASES]),
        (["altered pixels: 1 (c0)"], first_case(image=CASES[1].image)),
        (["relabelled: 1 (c0)"], first_case(label=1)),
        (["other attributes: 1 (c0)"], first_case(attributes={})),
        (["other patient: 1 (c0)"], first_case(patient_id="x")),
        (
            ["c0.png: ends early", "missing"],
            [BadCase("c0.png", "ends early"), *REST],
        ),
        (["c7.png: empty"], [BadCase("c7.png", "empty"), *CASES]),
    ],
)
def test_whatever_differs_from_the_lock_is_named(
    second: CaseSet, facts: list[str], cases: list[Case | BadCase]
) -> None:
    with refused(IntegrityError, "planted: ", *facts):
        verify_source(Planted(*cases), second)


def test_cases_are_found_by_their_ids() -> None:
    assert find_cases(Planted(*CASES), ["c4", "c1"]) == {"c1": CASES[1], "c4": CASES[4]}


def test_a_case_the_source_lacks_is_an_error_with_a_suggestion() -> None:
    with refused(SourceError, "planted: ", "'c44'", "did you mean 'c4'"):
        find_cases(Planted(*CASES), ["c1", "c44"])


def test_the_named_images_are_those_of_the_source() -> None:
    source = open_source("phantom")
    shard = source.shards("test")[0]
    images = {case.case_id: case.image for case in list(source.read(shard))[:3]}
    wanted = sorted(images)[1:]
    assert read_pictures(source, [*wanted, "no-such-case"][:2]) == {i: images[i] for i in wanted}


def test_reading_stops_at_the_last_wanted_case(monkeypatch: pytest.MonkeyPatch) -> None:
    source = PhantomSource.parse("phantom")
    read: list[int] = []
    whole = PhantomSource.read

    def counted(self: PhantomSource, shard: object) -> object:
        read.append(shard.start)  # type: ignore[attr-defined]
        return whole(self, shard)  # type: ignore[arg-type]

    monkeypatch.setattr(PhantomSource, "read", counted)
    assert list(read_pictures(source, ["phantom-case-000001"])) == ["phantom-case-000001"]
    assert read == [0]
    assert read_pictures(source, []) == {} and read == [0]


def test_an_image_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("NORMAL", "PNEUMONIA"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            image = read_pictures(open_source("phantom"), ["phantom-case-000001"])
            for i in range(12):
                (folder / f"{name}-{split}-{i}.png").write_bytes(image["phantom-case-000001"])
    (tmp_path / "test" / "NORMAL" / "NORMAL-test-0.png").write_bytes(b"not an image")
    source = open_source(str(tmp_path))
    ids = [case.case_id for s in source.shards("test") for case in source.read(s)
           if hasattr(case, "case_id")]  # fmt: skip
    assert read_pictures(source, ids).keys() == set(ids)


def test_a_picture_under_both_labels_locks_nothing(tmp_path: Path) -> None:
    image = encoded(picture(1))
    source = Planted(Case("a", "p", 1, image), Case("b", "p", 0, image))
    with refused(SourceError, "planted", "a (positive) and b (negative)"):
        lock_source(source, tmp_path / "case_set.json", author="A", reason="r")
    assert not (tmp_path / "case_set.json").exists()


def test_a_lock_keeps_perceptual_hashes_of_pictures_that_are_large_enough(tmp_path: Path) -> None:
    large = np.random.default_rng(1).integers(0, 256, (80, 80)).astype(np.uint8)
    cases = Case("a", "p", 1, encode_png(large)), Case("b", "q", 0, encoded(picture(2)))
    path = tmp_path / "case_set.json"
    lock_source(Planted(*cases), path, author="A", reason="r")
    first, second = load_case_set(path).cases
    assert first.perceptual_hash == perceptual_hash(large) != ""
    assert second.perceptual_hash == ""


def test_a_picture_is_read_again_from_where_its_record_stands(tmp_path: Path) -> None:
    source = open_source(str(write_npz(tmp_path / "chest.npz", rows=6)))
    tune = read_cases(source, "tune")
    place = len(source.shards("train"))
    where = (f"tune-{place:06d}", 2, tune[2].case_id)
    assert picture_at(source, ("train", "tune"), where) == tune[2].image
    assert picture_at(source, ("train", "tune"), (where[0], 2, "another")) is None


def test_a_picture_behind_unusable_cases_is_found() -> None:
    image = encoded(picture(1))
    source = Planted(BadCase("x", "bad"), BadCase("y", "bad"), Case("a", "p", 1, image))
    assert picture_at(source, ("test",), ("test-000000", 0, "a")) == image
