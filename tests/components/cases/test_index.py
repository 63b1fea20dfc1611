import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.baselines.case_set import CaseSet, lock_cases
from components.cases.index import (
    Intake,
    Leak,
    SplitCounts,
    check_case_set,
    check_index,
    check_training,
    count_values,
    find_leakage,
    record_case,
)
from components.cases.odd import LOOK
from components.records.case import Case, CaseRecord, ReadAs, Shard
from components.records.case_index import write_records
from components.records.errors import (
    AnomaliesFound,
    IntegrityError,
    LeakageFound,
    NothingEvaluated,
    SourceError,
)
from tests.components.planting import locked, seen_case, sha
from tests.refusing import refused


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


def test_record_of_a_case_hashes_its_bytes() -> None:
    case = Case("a", "p", 1, b"image", {"view": "PA"})
    made = record_case(case, "0" * 64)
    assert made.bytes_sha256.startswith("6105d6cc76af400325e94d588ce511be")
    assert (made.case_id, made.patient_id, made.label) == ("a", "p", 1)
    assert made.attributes == {"view": "PA"}


def test_counts_are_those_of_the_records() -> None:
    train = [record("a0", patient="p", pixels=5), record("a1", patient="p", pixels=5), record("a3")]
    counts = check_index({"train": iter(train), "test": [record("b0"), record("b1")]})
    assert counts["train"] == SplitCounts(cases=3, positives=2, patients=2, repeated=1)
    assert counts["test"] == SplitCounts(cases=2, positives=1, patients=2, repeated=0)


@pytest.mark.parametrize(
    ("test", "facts"),
    [
        ([record("b0"), record("a1")], ["'test'", "case 'a1'", "'train'", "once"]),
        ([record("b0", patient="p"), record("b1")], ["patient 'p'", "'train'"]),
        ([record("b0"), record("b2")], ["no positive", "'test'"]),
        ([], ["no positive", "'test'"]),
    ],
)
def test_index_that_no_run_may_use_is_refused(test: list[CaseRecord], facts: list[str]) -> None:
    train = [record("a0", patient="p"), record("a1")]
    with refused(SourceError, *facts):
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


LOCK = locked(3, 3)


def locked_record(name: str, label: int, **changed: str) -> CaseRecord:
    given = {
        "patient_id": f"of {name}",
        "bytes_sha256": sha(f"bytes of {name}"),
        "pixels_sha256": sha(f"pixels of {name}"),
    }
    return CaseRecord(name, label=label, **{**given, **changed})  # type: ignore[arg-type]


TRAIN = [locked_record("a0", 0), locked_record("a1", 1), locked_record("a2", 0)]
TUNE = [locked_record("b0", 0), locked_record("b1", 1)]


def written_index(
    folder: Path,
    splits: dict[str, list[CaseRecord]],
    *,
    bad: list[tuple[str, str]] | None = None,
    skip: int = 0,
) -> Intake:
    """An intake with a shard for each split; the unusable cases stand in the first one."""
    unusable = bad or []
    shards = []
    for number, (split, records) in enumerate(splits.items()):
        write_records(folder / f"{split}-{number:06d}.jsonl", records)
        np.save(folder / f"{split}-{number:06d}.npy", looks(len(records)))
        rows = len(records) + len(unusable)
        lines = "".join(f"{json.dumps(entry)}\n" for entry in unusable)
        (folder / f"{split}-{number:06d}.bad").write_text(lines)
        shards.append(Shard(split, 0, rows))
        unusable = []
    return Intake(folder, tuple(shards), skip)


def looks(rows: int) -> npt.NDArray[np.void]:
    """Pictures of which nothing can be said."""
    found = np.zeros(rows, LOOK)
    found["depth"], found["used"], found["deviation"], found["orientation"] = 8, 8, 0.2, 1
    return found


def training(folder: Path, **changed: list[CaseRecord]) -> Intake:
    return written_index(folder, {"train": TRAIN, "tune": TUNE, **changed})


def of_lock(case_set: CaseSet = LOCK) -> list[CaseRecord]:
    fields = (
        "case_id",
        "patient_id",
        "label",
        "bytes_sha256",
        "pixels_sha256",
        "attributes",
    )
    return [CaseRecord(*(getattr(case, name) for name in fields)) for case in case_set.cases]


# The case set


def test_exactly_the_locked_cases_are_counted(tmp_path: Path) -> None:
    intake = written_index(tmp_path, {"test": of_lock()})
    assert check_case_set(intake, LOCK) == {"cases": 6, "findings": []}


@pytest.mark.parametrize(
    ("spoil", "facts"),
    [
        (lambda records: records[1:], ["missing: 1 (case-0000)"]),
        (lambda records: [*records, locked_record("x", 1)], ["additional: 1 (x)"]),
        (lambda records: [*records, records[0]], ["duplicated: 1 (case-0000)"]),
        (
            lambda records: [locked_record("case-0000", 0), *records[1:]],
            ["relabelled: 1 (case-0000)"],
        ),
        (lambda records: [], ["missing: 6"]),
    ],
)
def test_any_other_cases_are_an_integrity_error(tmp_path: Path, spoil, facts: list[str]) -> None:  # type: ignore[no-untyped-def]
    intake = written_index(tmp_path, {"test": spoil(of_lock())})
    with refused(IntegrityError, *facts):
        check_case_set(intake, LOCK)


def test_an_unusable_case_of_the_case_set_is_an_integrity_error(tmp_path: Path) -> None:
    intake = written_index(tmp_path, {"test": of_lock()[1:]}, bad=[("x.npz row 0", "truncated")])
    with refused(IntegrityError, "case set planted: x.npz row 0: truncated"):
        check_case_set(intake, LOCK)


# Training data


def test_training_cases_are_counted_by_split(tmp_path: Path) -> None:
    summary = check_training(training(tmp_path), LOCK, leakage="stop")
    assert summary["train"] == {"cases": 3, "positives": 1, "patients": 3, "repeated": 0}
    assert summary["tune"]["cases"] == 2
    assert summary["leaks"] == summary["findings"] == []


@pytest.mark.parametrize("lost", ["tune-000001.bad", "tune-000001.jsonl"])
def test_a_lost_shard_is_an_integrity_error(tmp_path: Path, lost: str) -> None:
    intake = training(tmp_path)
    (tmp_path / lost).unlink()
    with refused(IntegrityError, "wanted 2"):
        check_training(intake, LOCK, leakage="stop")


def test_one_unusable_case_more_than_tolerated_stops(tmp_path: Path) -> None:
    bad = [(f"row {i}", "truncated") for i in range(7)]
    splits = {"train": TRAIN, "tune": TUNE}
    with refused(SourceError, "row 4: truncated (and 2 more)", "7 unusable", "6 tolerated"):
        check_training(written_index(tmp_path, splits, bad=bad, skip=6), LOCK, leakage="stop")
    tolerated = written_index(tmp_path, splits, bad=bad, skip=7)
    findings = check_training(tolerated, LOCK, leakage="stop")["findings"]
    assert findings == [f"skipped row {i}: truncated" for i in range(7)]


LEAKS = {
    "same bytes": {"bytes_sha256": sha("bytes 4")},
    "same pixels": {"pixels_sha256": sha("pixels 4")},
    "same patient": {"patient_id": "patient-2"},
}


@pytest.mark.parametrize("why", LEAKS)
@pytest.mark.parametrize("split", ["train", "tune"])
def test_a_case_set_case_in_the_training_data_stops(tmp_path: Path, why: str, split: str) -> None:
    leaked = [*{"train": TRAIN, "tune": TUNE}[split], locked_record("leak", 1, **LEAKS[why])]
    with refused(LeakageFound, f"case-0004 ({why} as leak)"):
        check_training(training(tmp_path, **{split: leaked}), LOCK, leakage="stop")


def test_known_leakage_is_listed_where_the_policy_says_so(tmp_path: Path) -> None:
    leaked = [*TRAIN, locked_record("leak", 1, **LEAKS["same pixels"])]
    summary = check_training(training(tmp_path, train=leaked), LOCK, leakage="report")
    assert summary["leaks"] == [
        {"case_id": "case-0004", "training_case_id": "leak", "why": "same pixels"}
    ]
    assert summary["findings"] == [
        "1 case-set cases stand in the training data: case-0004 (same pixels as leak)",
        "1 picture under both labels: case-0004 (negative) and leak (positive)",
        "1 picture of two patients: case-0004 (patient-2) and leak (of leak)",
    ]


def test_equal_pictures_in_train_and_tune_are_named_and_stop_where_near_ones_do(
    tmp_path: Path,
) -> None:
    tune = [*TUNE, locked_record("again", 0, pixels_sha256=TRAIN[0].pixels_sha256)]
    intake = training(tmp_path, tune=tune)
    named = "1 tuning cases stand in the training data: again (same pixels as a0)"
    assert named in check_training(intake, LOCK, leakage="stop")["findings"]
    with refused(LeakageFound, named, "near_duplicates: report"):
        check_training(intake, LOCK, leakage="stop", near_duplicates="stop")


@pytest.mark.parametrize(("label", "stops"), [(0, False), (1, True)])
def test_equal_pictures_of_one_split_stop_where_they_contradict_each_other(
    tmp_path: Path, label: int, stops: bool
) -> None:
    again = locked_record("a9", label, pixels_sha256=TRAIN[0].pixels_sha256)
    intake = training(tmp_path, train=[*TRAIN, again])
    with refused(LeakageFound, "under both labels: a0") if stops else nullcontext():
        check_training(intake, LOCK, leakage="stop", near_duplicates="stop")


def test_many_leaks_are_counted_and_a_few_named(tmp_path: Path) -> None:
    case_set = lock_cases(
        [seen_case(i, i % 2) for i in range(9)],
        name="planted",
        author="A",
        reason="r",
        date="2025-03-31",
        source="planted",
    )
    leaked = [locked_record(f"l{i}", 1, bytes_sha256=sha(f"bytes {i}")) for i in range(9)]
    with refused(LeakageFound, "9 case-set cases ", " and 4 more; ") as caught:
        check_training(training(tmp_path, train=[*TRAIN, *leaked]), case_set, leakage="stop")
    assert str(caught.value).count(" as l") == 5


def test_a_patient_in_two_splits_is_refused(tmp_path: Path) -> None:
    tune = [*TUNE, locked_record("b9", 1, patient_id="of a1")]
    with refused(SourceError, "'of a1'", "'train'"):
        check_training(training(tmp_path, tune=tune), LOCK, leakage="stop")


def test_a_split_of_one_class_is_refused(tmp_path: Path) -> None:
    with refused(SourceError, "no positive", "'tune'"):
        check_training(training(tmp_path, tune=TUNE[:1]), LOCK, leakage="stop")


def test_repeated_pictures_and_left_out_cases_are_findings(tmp_path: Path) -> None:
    again = locked_record("a9", 0, pixels_sha256=TRAIN[0].pixels_sha256)
    intake = training(tmp_path, train=[*TRAIN, again])
    longer = Intake(tmp_path, (Shard("train", 0, 6), Shard("tune", 0, 2)), 0)
    assert check_training(intake, LOCK, leakage="stop")["findings"] == [
        "1 pictures stand more than once in train",
        "1 picture of two patients: a0 (of a0) and a9 (of a9)",
    ]
    assert check_training(longer, LOCK, leakage="stop")["findings"][0] == (
        "2 training cases left out: the same patient stands in tune"
    )


def test_a_case_set_without_cases_evaluates_nothing(tmp_path: Path) -> None:
    empty = CaseSet(**{**vars(LOCK), "cases": ()})
    with refused(NothingEvaluated, "planted"):
        check_case_set(written_index(tmp_path, {"test": []}), empty)


def test_too_few_tuning_positives_train_nothing(tmp_path: Path) -> None:
    intake = training(tmp_path)
    positives = sum(record.label for record in TUNE)
    assert check_training(intake, LOCK, leakage="stop", least_tuning_positives=positives)
    with refused(SourceError, "'tune'", f"at least {positives + 1}", "data.tune_from_train"):
        check_training(intake, LOCK, leakage="stop", least_tuning_positives=positives + 1)


def test_how_names_were_read_is_among_the_findings(tmp_path: Path) -> None:
    read_as = ReadAs({"NORMAL": 0, "COVID": None, "PNEUMONIA": 1}, {"": 5})
    found = check_training(training(tmp_path), LOCK, leakage="stop", read_as=read_as)["findings"]
    assert (
        found[0] == "labels: NORMAL is negative (0), COVID is left out, PNEUMONIA is positive (1)"
    )
    assert found[1].startswith("patients: 5 files")


# Pictures


def spoil(folder: Path, split: str, row: int, **facts: float) -> None:
    (path,) = folder.glob(f"{split}-*.npy")
    found = np.load(path)
    for name, value in facts.items():
        found[name][row] = value
    np.save(path, found)


def test_an_odd_picture_is_named_or_stops_the_run(tmp_path: Path) -> None:
    intake = training(tmp_path)
    spoil(tmp_path, "tune", 1, deviation=0.001)
    (finding,) = check_training(intake, LOCK, leakage="stop", odd_pictures="report")["findings"]
    assert "blank" in finding and "1 (b1)" in finding
    with refused(AnomaliesFound, "blank", "1 (b1)", "data.odd_pictures"):
        check_training(intake, LOCK, leakage="stop", odd_pictures="stop")


def test_a_turned_picture_is_named_and_stops_nothing(tmp_path: Path) -> None:
    intake = training(tmp_path)
    spoil(tmp_path, "train", 2, orientation=6)
    (finding,) = check_training(intake, LOCK, leakage="stop", odd_pictures="stop")["findings"]
    assert "EXIF" in finding and "1 (a2)" in finding


def test_an_odd_picture_of_the_case_set_is_named(tmp_path: Path) -> None:
    intake = written_index(tmp_path, {"test": of_lock()})
    spoil(tmp_path, "test", 3, used=5)
    (finding,) = check_case_set(intake, LOCK)["findings"]
    assert finding.startswith("case set: ") and "5 of 8 bits" in finding and "case-0003" in finding
