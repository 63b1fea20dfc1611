import pytest

from components.cases.splits import (
    TRAIN_TUNE,
    TRAIN_TUNE_TEST,
    assign_split,
    cut_shards,
    require_both_classes,
)
from components.records.case import Shard
from components.records.errors import SourceError
from tests.refusing import refused


def test_shares_hold_on_average() -> None:
    splits = [assign_split(f"patient-{number}", TRAIN_TUNE_TEST) for number in range(20_000)]
    for split, share in TRAIN_TUNE_TEST.items():
        assert splits.count(split) / len(splits) == pytest.approx(share, abs=0.015)


def test_split_of_a_patient_is_fixed_for_ever() -> None:
    """Another answer here would move patients between the splits of released models."""
    found = [assign_split(f"train/NORMAL/IM-{number:04d}", TRAIN_TUNE) for number in range(8)]
    assert found == ["train"] * 4 + ["tune"] * 2 + ["train"] * 2


def test_rounded_shares_still_give_a_split() -> None:
    shares = {"tune": 0.0, "train": 0.0}
    assert assign_split("anyone", shares) == "train"


@pytest.mark.parametrize(("labels", "word"), [([1, 1], "negative"), ([0], "positive"), ([], "pos")])
def test_split_without_a_class_is_refused(labels: list[int], word: str) -> None:
    with refused(SourceError, "data: ", f"no {word}", "'tune'"):
        require_both_classes("data", "tune", labels)


def test_shards_cover_every_row_once_in_order() -> None:
    assert cut_shards("test", 5, 2) == [
        Shard("test", 0, 2),
        Shard("test", 2, 4),
        Shard("test", 4, 5),
    ]
    assert cut_shards("test", 0, 2) == []


def test_shards_of_no_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="cases_per_shard"):
        cut_shards("test", 5, 0)
