from pathlib import Path

import pytest

from components.cases.index import (
    Leak,
    SplitCounts,
    check_index,
    count_values,
    find_leakage,
    read_records,
    record_case,
    write_records,
)
from components.records.case import Case
from components.records.case_record import CaseRecord
from components.records.errors import IntegrityError, SourceError


def record(case_id: str, *, patient: str = "", image: int = 0, pixels: int = 0) -> CaseRecord:
    number = int("".join(filter(str.isdigit, case_id)))
    return CaseRecord(
        case_id=case_id,
        patient_id=patient or f"of-{case_id}",
        label=number % 2,
        bytes_sha256=f"{image or 1000 + hash(case_id) % 10**9:064x}",
        pixels_sha256=f"{pixels or 1000 + hash(case_id) % 10**9:064x}",
        attributes={"site": "Köln"},
    )


def test_records_survive_writing_and_reading(tmp_path: Path) -> None:
    records = [record("a0"), record("a1")]
    assert write_records(tmp_path / "index.jsonl", iter(records)) == 2
    assert list(read_records(tmp_path / "index.jsonl")) == records


def test_record_of_a_case_hashes_its_bytes() -> None:
    case = Case("a", "p", 1, b"image", {"view": "PA"})
    made = record_case(case, "0" * 64)
    assert made.bytes_sha256.startswith("6105d6cc76af400325e94d588ce511be")
    assert (made.case_id, made.patient_id, made.label) == ("a", "p", 1)
    assert made.attributes == {"view": "PA"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"label": 1', '"label": 2'),
        ('"label": 1', '"label": true'),
        ('"label": 1', '"extra": 1, "label": 1'),
        ('"case_id": "a1"', '"case_id": ""'),
        ('"site": ', '"site": 3, "x": '),
        ('"pixels_sha256": "0', '"pixels_sha256": "'),
        ("{", ""),
    ],
)
def test_line_that_is_no_record_is_named(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "index.jsonl"
    write_records(path, [record("a0"), record("a1")])
    first, second = path.read_text().splitlines()
    assert old in second
    path.write_text(f"{first}\n{second.replace(old, new, 1)}\n")
    with pytest.raises(IntegrityError, match=r"index\.jsonl:2: not a case record"):
        list(read_records(path))


def test_absent_index_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(read_records(tmp_path / "absent"))


def test_counts_are_those_of_the_records() -> None:
    train = [record("a0", patient="p", pixels=5), record("a1", patient="p", pixels=5), record("a3")]
    counts = check_index({"train": iter(train), "test": [record("b0"), record("b1")]})
    assert counts["train"] == SplitCounts(cases=3, positives=2, patients=2, repeated=1)
    assert counts["test"] == SplitCounts(cases=2, positives=1, patients=2, repeated=0)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ([record("b0"), record("a1")], "split 'test': case 'a1' stands twice"),
        ([record("b0", patient="p"), record("b1")], "patient 'p' .* is in split 'train' too"),
        ([record("b0"), record("b2")], "no positive case in split 'test'"),
        ([], "no positive case in split 'test'"),
    ],
)
def test_index_that_no_run_may_use_is_refused(test: list[CaseRecord], message: str) -> None:
    train = [record("a0", patient="p"), record("a1")]
    with pytest.raises(SourceError, match=message):
        check_index({"train": train, "test": test})


def test_leak_is_found_by_its_strongest_reason() -> None:
    case_set = [
        record("c0", image=1, pixels=1, patient="p0"),
        record("c1", image=2, pixels=2, patient="p1"),
        record("c2", image=3, pixels=3, patient="p2"),
        record("c3", image=4, pixels=4, patient="p3"),
    ]
    training = [
        record("t0", patient="p0"),
        record("t1", image=1, pixels=1),
        record("t2", pixels=2, patient="p1"),
        record("t3", patient="p2"),
        record("t4", patient="p2"),
    ]
    assert find_leakage(iter(training), iter(case_set)) == [
        Leak("c0", "t1", "same bytes"),
        Leak("c1", "t2", "same pixels"),
        Leak("c2", "t3", "same patient"),
    ]


def test_every_case_of_a_leaked_patient_is_listed() -> None:
    case_set = [record("c0", patient="p"), record("c1", patient="p")]
    leaks = find_leakage([record("t0", patient="p")], case_set)
    assert [leak.case_id for leak in leaks] == ["c0", "c1"]


def test_equal_values_of_different_kinds_are_no_leak() -> None:
    assert find_leakage([record("t0", image=9)], [record("c0", pixels=9)]) == []


def test_values_are_counted_where_the_case_set_has_them_and_training_has_the_attribute() -> None:
    training = [record("a1"), record("a2")]
    wanted = [{"site": "Köln", "device": "Aster"}, {"site": "Bonn"}]
    assert count_values(training, wanted) == {"site": {"Köln": 2, "Bonn": 0}}
    assert count_values(training, []) == {} and count_values([], wanted) == {}
