from pathlib import Path

import numpy as np
import pytest

from components.records.case import CaseRecord
from components.records.case_index import read_figures, read_records, write_figures, write_records
from components.records.errors import IntegrityError
from tests.refusing import refused


def record(case_id: str, looks: str = "") -> CaseRecord:
    number = int(case_id[1:])
    hashes = (f"{1000 + number:064x}", f"{2000 + number:064x}")
    site = {"site": "Köln"}
    return CaseRecord(case_id, f"of-{case_id}", number % 2, *hashes, site, perceptual_hash=looks)


def test_records_survive_writing_and_reading(tmp_path: Path) -> None:
    records = [record("a0"), record("a1", "ab" * 64)]
    write_records(tmp_path / "index.jsonl", iter(records))
    assert list(read_records(tmp_path / "index.jsonl")) == records


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"label":1', '"label":2'),
        ('"label":1', '"label":true'),
        ('"label":1', '"extra":1,"label":1'),
        ('"case_id":"a1"', '"case_id":""'),
        ('"patient_id"', '"perceptual_hash":"","patient_id"'),
        ('"patient_id"', '"perceptual_hash":"AB","patient_id"'),
        ('"site":', '"site":3,"x":'),
        ('"pixels_sha256":"0', '"pixels_sha256":"'),
        ("{", ""),
    ],
)
def test_line_that_is_no_record_is_named(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "index.jsonl"
    write_records(path, [record("a0"), record("a1")])
    first, second = path.read_text().splitlines()
    assert old in second
    path.write_text(f"{first}\n{second.replace(old, new, 1)}\n")
    with refused(IntegrityError, "index.jsonl:2: "):
        list(read_records(path))


def test_absent_index_is_an_integrity_error(tmp_path: Path) -> None:
    with refused(IntegrityError, tmp_path / "absent"):
        list(read_records(tmp_path / "absent"))


def test_a_record_without_a_perceptual_hash_is_spelled_as_before_there_were_any() -> None:
    assert b"perceptual_hash" not in record("a1").line()
    assert b'"perceptual_hash":"' + b"ab" * 64 in record("a1", "ab" * 64).line()


def test_figures_stand_in_the_order_of_the_shards(tmp_path: Path) -> None:
    paths = [tmp_path / f"train-{number}.npy" for number in range(3)]
    for path, figures in zip(paths, ([(1.0, 2.0)], [], [(3.0, 4.0), (5.0, 6.0)])):
        write_figures(path, figures)
    assert np.array_equal(read_figures(paths), [(1, 2), (3, 4), (5, 6)])


def test_lost_or_damaged_figures_are_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / "train-0.npy").write_bytes(b"\x93NUMPY")
    for name in ("train-0.npy", "train-1.npy"):
        with refused(IntegrityError, name):
            read_figures([tmp_path / name])
