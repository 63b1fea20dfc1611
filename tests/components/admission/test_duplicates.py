"""Nearly equal pictures across splits and within each, named by where they stand."""

import textwrap
from pathlib import Path

import pytest

from components.admission.columns import read_columns
from components.admission.duplicates import (
    NearDuplicate,
    clauses,
    find_near_duplicates,
    refuse_near_duplicates,
)
from components.records.case import CaseRecord
from components.records.errors import LeakageFound
from tests.components.admission.making import case, picture, write_index
from tests.refusing import refused

NEAR = picture(1) ^ (0b1011 << 256)  # three signs


def found_in(folder: Path, **splits: list[CaseRecord]) -> list[NearDuplicate]:
    for number, (split, cases) in enumerate(splits.items()):
        others = [case(f"{split}{i}", i % 2, picture(100 * number + 10 + i)) for i in range(9)]
        place = folder / ("judging" if split == "test" else "training")
        write_index(place, f"{split}-{number:06d}", [*others, *cases])
    folders = [folder / "training", folder / "judging"]
    return find_near_duplicates(folders, read_columns(folders, []))


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ("train", "test", "between training data and case set"),
        ("tune", "test", "between tuning data and case set"),
        ("train", "tune", "between training and tuning data"),
    ],
)
def test_a_pair_in_two_splits_is_named_with_both_cases(
    tmp_path: Path, one: str, other: str, where: str
) -> None:
    planted = {one: [case("a", 1, picture(1))], other: [case("b", 1, NEAR, patient_id="of a")]}
    found = found_in(tmp_path, **planted)
    assert clauses(found, 0) == [f"1 pair of nearly equal pictures {where}: a and b (3 bits)"]
    with refused(LeakageFound, where, "a and b", "near_duplicates: report"):
        refuse_near_duplicates(found)


@pytest.mark.parametrize("split", ["train", "tune", "test"])
def test_a_pair_within_a_split_is_named_and_stops_nothing(tmp_path: Path, split: str) -> None:
    found = found_in(
        tmp_path, **{split: [case("a", 1, picture(1)), case("b", 1, NEAR, patient_id="of a")]}
    )
    (words,) = clauses(found, 0)
    assert "within the " in words and "a and b" in words
    refuse_near_duplicates(found)


def test_two_labels_for_nearly_one_picture_are_a_contradiction_and_stop(tmp_path: Path) -> None:
    planted = [case("a", 1, picture(1)), case("b", 0, NEAR, patient_id="of a")]
    found = found_in(tmp_path, train=planted)
    assert clauses(found, 0)[1:] == [
        "1 pair of nearly equal pictures under both labels: a and b (3 bits)"
    ]
    with refused(LeakageFound, "under both labels"):
        refuse_near_duplicates(found)


def test_two_patients_of_nearly_one_picture_are_named(tmp_path: Path) -> None:
    found = found_in(tmp_path, train=[case("a", 1, picture(1)), case("b", 1, NEAR)])
    assert "1 pair of nearly equal pictures of two patients: a and b (3 bits)" in clauses(found, 0)
    assert found[0].document()["patients_differ"] is True


def test_a_patient_that_the_source_made_up_is_no_contradiction(tmp_path: Path) -> None:
    made_up = [
        case(name, 1, looks, patient_id=name) for name, looks in zip("ab", (NEAR, picture(1)))
    ]
    (pair,) = found_in(tmp_path, train=made_up)
    assert not pair.patients_differ


def test_equal_pictures_are_left_to_who_compares_samples(tmp_path: Path) -> None:
    same = {"pixels_sha256": "5" * 64}
    planted = [case("a", 1, picture(1), **same), case("b", 1, picture(1), **same)]
    assert found_in(tmp_path, train=planted) == []


def test_the_worst_stand_first(tmp_path: Path) -> None:
    planted = {
        "train": [case("a", 1, picture(1)), case("b", 1, picture(2)), case("c", 1, picture(3))],
        "tune": [case("d", 1, picture(2) ^ 1)],
        "test": [case("e", 1, NEAR), case("f", 0, picture(3) ^ 7)],
    }
    found = found_in(tmp_path, **planted)
    assert [(p.one.record.case_id, p.other.record.case_id) for p in found] == [
        ("c", "f"),
        ("a", "e"),
        ("b", "d"),
    ]


def test_a_mirrored_negative_says_so(tmp_path: Path) -> None:
    signs, spots = divmod(picture(1), 2**256)
    signs ^= int("01" * 128, 2) ^ (2**256 - 1)
    rows = textwrap.wrap(f"{spots:0256b}", 16)
    turned = (signs << 256) + int("".join(row[::-1] for row in rows), 2) ^ (2**256 - 1)
    (pair,) = found_in(tmp_path, train=[case("a", 1, picture(1)), case("b", 1, turned)])
    assert pair.way == "mirrored and inverted" and "mirrored and inverted, " in pair.words


def test_pictures_without_a_hash_are_counted_and_never_compared(tmp_path: Path) -> None:
    small = [case("a", 1, None), case("b", 0, None)]
    folder = write_index(tmp_path, "train-000000", small)
    columns = read_columns([folder], [])
    assert find_near_duplicates([folder], columns) == []
    (words,) = clauses([], columns.without_hash)
    assert words.startswith("2 pictures ")


def test_many_pairs_are_counted_and_a_few_named(tmp_path: Path) -> None:
    train = [case(f"a{i}", 1, picture(1000 + i)) for i in range(9)]
    test = [case(f"b{i}", 1, picture(1000 + i) ^ 1, patient_id=f"of a{i}") for i in range(9)]
    (words,) = clauses(found_in(tmp_path, train=train, test=test), 0)
    assert words.startswith("9 pairs ") and words.endswith(" and 6 more")
