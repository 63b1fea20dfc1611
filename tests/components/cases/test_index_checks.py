import json
from pathlib import Path

import pytest

from components.baselines.case_set import CaseSet, lock_cases
from components.cases.index import Intake, check_case_set, check_training, write_records
from components.records.case import Shard
from components.records.case_record import CaseRecord
from components.records.errors import IntegrityError, LeakageFound, NothingEvaluated, SourceError
from tests.components.planting import locked, seen_case, sha

LOCK = locked(3, 3)


def record(name: str, label: int, **changed: str) -> CaseRecord:
    given = {
        "patient_id": f"of {name}",
        "bytes_sha256": sha(f"bytes of {name}"),
        "pixels_sha256": sha(f"pixels of {name}"),
    }
    return CaseRecord(name, label=label, **{**given, **changed})  # type: ignore[arg-type]


TRAIN = [record("a0", 0), record("a1", 1), record("a2", 0)]
TUNE = [record("b0", 0), record("b1", 1)]


def written(
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
        rows = len(records) + len(unusable)
        lines = "".join(f"{json.dumps(entry)}\n" for entry in unusable)
        (folder / f"{split}-{number:06d}.bad").write_text(lines)
        shards.append(Shard(split, 0, rows))
        unusable = []
    return Intake(folder, tuple(shards), skip)


def training(folder: Path, **changed: list[CaseRecord]) -> Intake:
    return written(folder, {"train": TRAIN, "tune": TUNE, **changed})


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
    intake = written(tmp_path, {"test": of_lock()})
    assert check_case_set(intake, LOCK) == {"cases": 6, "findings": []}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda records: records[1:], r"missing: 1 \(case-0000\)"),
        (lambda records: [*records, record("x", 1)], r"additional: 1 \(x\)"),
        (lambda records: [*records, records[0]], "duplicated"),
        (lambda records: [record("case-0000", 0), *records[1:]], "relabelled"),
        (lambda records: [], r"missing: 6"),
    ],
)
def test_any_other_cases_are_an_integrity_error(tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    intake = written(tmp_path, {"test": spoil(of_lock())})
    with pytest.raises(IntegrityError, match=message):
        check_case_set(intake, LOCK)


def test_an_unusable_case_of_the_case_set_is_an_integrity_error(tmp_path: Path) -> None:
    intake = written(tmp_path, {"test": of_lock()[1:]}, bad=[("x.npz row 0", "truncated")])
    with pytest.raises(IntegrityError, match="case set planted: x.npz row 0: truncated"):
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
    with pytest.raises(IntegrityError, match=r"got \d shards, wanted 2"):
        check_training(intake, LOCK, leakage="stop")


def test_one_unusable_case_more_than_tolerated_stops(tmp_path: Path) -> None:
    bad = [(f"row {i}", "truncated") for i in range(7)]
    splits = {"train": TRAIN, "tune": TUNE}
    with pytest.raises(SourceError, match=r"row 4: truncated \(and 2 more\): 7 unusable, 6 toler"):
        check_training(written(tmp_path, splits, bad=bad, skip=6), LOCK, leakage="stop")
    tolerated = written(tmp_path, splits, bad=bad, skip=7)
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
    leaked = [*{"train": TRAIN, "tune": TUNE}[split], record("leak", 1, **LEAKS[why])]
    with pytest.raises(LeakageFound, match=rf"case-0004 \({why} as leak\)"):
        check_training(training(tmp_path, **{split: leaked}), LOCK, leakage="stop")


def test_known_leakage_is_listed_where_the_policy_says_so(tmp_path: Path) -> None:
    leaked = [*TRAIN, record("leak", 1, **LEAKS["same pixels"])]
    summary = check_training(training(tmp_path, train=leaked), LOCK, leakage="report")
    assert summary["leaks"] == [
        {"case_id": "case-0004", "training_case_id": "leak", "why": "same pixels"}
    ]
    assert summary["findings"] == [
        "1 case-set cases stand in the training data: case-0004 (same pixels as leak)"
    ]


def test_many_leaks_are_counted_and_a_few_named(tmp_path: Path) -> None:
    case_set = lock_cases(
        [seen_case(i, i % 2) for i in range(9)],
        name="planted",
        author="A",
        reason="r",
        date="2025-03-31",
        source="planted",
    )
    leaked = [record(f"l{i}", 1, bytes_sha256=sha(f"bytes {i}")) for i in range(9)]
    with pytest.raises(LeakageFound, match=r"^9 case-set cases .* and 4 more; ") as caught:
        check_training(training(tmp_path, train=[*TRAIN, *leaked]), case_set, leakage="stop")
    assert str(caught.value).count(" as l") == 5


def test_a_patient_in_two_splits_is_refused(tmp_path: Path) -> None:
    tune = [*TUNE, record("b9", 1, patient_id="of a1")]
    with pytest.raises(SourceError, match="'of a1' .* is in split 'train' too"):
        check_training(training(tmp_path, tune=tune), LOCK, leakage="stop")


def test_a_split_of_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no positive case in split 'tune'"):
        check_training(training(tmp_path, tune=TUNE[:1]), LOCK, leakage="stop")


def test_repeated_pictures_and_left_out_cases_are_findings(tmp_path: Path) -> None:
    again = record("a9", 0, pixels_sha256=TRAIN[0].pixels_sha256)
    intake = training(tmp_path, train=[*TRAIN, again])
    longer = Intake(tmp_path, (Shard("train", 0, 6), Shard("tune", 0, 2)), 0)
    assert check_training(intake, LOCK, leakage="stop")["findings"] == [
        "1 pictures stand more than once in train"
    ]
    assert check_training(longer, LOCK, leakage="stop")["findings"][0] == (
        "2 training cases left out: the same patient stands in tune"
    )


def test_a_case_set_without_cases_evaluates_nothing(tmp_path: Path) -> None:
    empty = CaseSet(**{**vars(LOCK), "cases": ()})
    with pytest.raises(NothingEvaluated, match="holds no case"):
        check_case_set(written(tmp_path, {"test": []}), empty)
