import hashlib
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from components.cases.images import decode, pixels_sha256
from components.cases.index import check_index, find_leakage, record_case
from components.cases.npz import describe_member, iterate_rows, open_npz
from components.records.case import SPLITS
from components.records.errors import SourceError
from tests.components.cases.making import picture, read_cases, write_npz
from tests.refusing import refused


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("cases_per_shard", [1, 7, 512])
def test_cases_are_the_rows(tmp_path: Path, compressed: bool, cases_per_shard: int) -> None:
    source = open_npz(write_npz(tmp_path / "toy.npz", compressed=compressed), "toy.npz")
    cases = read_cases(source, "test", cases_per_shard)
    assert [case.case_id for case in cases] == [f"toy-test-{row:05d}" for row in range(20)]
    assert [case.label for case in cases] == [0, 1] * 10
    assert (np.array([decode(case.image) for case in cases]) == picture(2, (20, 8, 8))).all()
    assert cases[3].patient_id == f"px-{pixels_sha256(cases[3].image)}"


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bit_images_survive_exactly(tmp_path: Path, dtype: str) -> None:
    images = picture(5, (20, 8, 8), 65536)
    source = open_npz(write_npz(tmp_path / "a.npz", test_images=images.astype(dtype)), "a.npz")
    assert (np.array([decode(c.image) for c in read_cases(source, "test")]) == images).all()


def test_colour_images_are_read(tmp_path: Path) -> None:
    images = picture(5, (20, 8, 8, 3))
    source = open_npz(write_npz(tmp_path / "a.npz", test_images=images), "a.npz")
    assert (np.array([decode(c.image) for c in read_cases(source, "test")]) == images).all()


def test_train_image_that_stands_in_val_is_dropped(tmp_path: Path) -> None:
    train, val = picture(1, (20, 8, 8)), picture(2, (20, 8, 8))
    train[[4, 11]] = val[0]
    source = open_npz(write_npz(tmp_path / "a.npz", train_images=train, val_images=val), "a.npz")
    rows = [int(case.case_id[-5:]) for case in read_cases(source, "train", cases_per_shard=6)]
    assert rows == [row for row in range(20) if row not in (4, 11)]
    assert len(read_cases(source, "tune")) == 20


def test_replaced_file_is_not_read_through_what_was_kept(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    source = open_npz(path, "a.npz")
    before = read_cases(source, "train")
    write_npz(path, train_images=picture(9, (20, 8, 8)))
    assert read_cases(source, "train")[0].image != before[0].image


@pytest.mark.parametrize(
    ("arrays", "facts"),
    [
        ({"test_labels": np.arange(20)[:, None] % 3}, ["labels", "[0, 1, 2]"]),
        ({"test_labels": np.zeros((20, 14), int)}, ["wanted integers (n, 1)"]),
        ({"test_labels": np.zeros((20, 1))}, ["wanted integers"]),
        ({"test_labels": np.zeros((20, 1), int)}, ["no positive", "'test'"]),
        ({"val_labels": np.ones(20, int)}, ["no negative", "'tune'"]),
        ({"train_labels": np.arange(19) % 2}, ["20 train_images", "19 labels"]),
        ({"test_images": np.zeros((20, 8, 8), np.float32)}, ["float32"]),
        ({"test_images": np.zeros((20, 8, 8, 3), np.uint16)}, ["uint16"]),
        ({"test_images": np.zeros((20, 8, 8, 4), np.uint8)}, ["wanted uint8"]),
        ({"test_images": np.zeros((20, 0, 8), np.uint8)}, ["8 x 0"]),
    ],
)
def test_array_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, arrays: dict[str, Any], facts: list[str]
) -> None:
    path = write_npz(tmp_path / "a.npz", **arrays)
    with refused(SourceError, *facts):
        open_npz(path, "a.npz")


def test_missing_test_split_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", train_images=picture(1, (4, 8, 8)), train_labels=[0, 1, 0, 1])
    with refused(SourceError, "'val_images'"):
        open_npz(tmp_path / "a.npz", "a.npz")


def test_flat_labels_and_a_pickled_copy_give_the_same_cases(tmp_path: Path) -> None:
    source = open_npz(write_npz(tmp_path / "a.npz", test_labels=np.arange(20) % 2), "a.npz")
    copy = pickle.loads(pickle.dumps(source))
    assert [case.label for case in read_cases(copy, "test")] == [0, 1] * 10
    assert source.shards("other") == []


def test_fingerprint_is_the_hash_of_the_file(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert open_npz(path, "a.npz").fingerprint() == expected


def test_published_set_has_its_known_counts_repeats_and_no_leak(
    tmp_path: Path, real_data: Path | None
) -> None:
    """PneumoniaMNIST: 8 pictures stand in train and in val, 2 of them twice in train."""
    train = picture(7, (20, 8, 8))
    train[3] = train[0]
    path = real_data / "pneumoniamnist.npz" if real_data else tmp_path / "pneumoniamnist.npz"
    if real_data is None:
        write_npz(path, train_images=train)
    source = open_npz(path, path.name)
    records = {
        split: [record_case(case, case.patient_id[3:]) for case in read_cases(source, split)]
        for split in SPLITS
    }
    counts = check_index(records)
    seen = {split: (n.cases, n.positives, n.repeated) for split, n in counts.items()}
    if real_data:
        assert [source.shards(split)[-1].stop for split in SPLITS] == [4708, 524, 624]
        assert seen == {"train": (4698, 3484, 16), "tune": (524, 389, 0), "test": (624, 390, 3)}
    else:
        assert seen == {"train": (20, 10, 1), "tune": (20, 10, 0), "test": (20, 10, 0)}
    assert find_leakage([*records["train"], *records["tune"]], records["test"]) == []


Save = Callable[..., Any]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("start", [[0, 7, 14, 21], [14, 0, 0, 7]])
def test_rows_are_those_of_the_array_in_any_order(
    tmp_path: Path, save: Save, start: list[int]
) -> None:
    array = picture(1, (25, 6, 5), 65536)
    save(tmp_path / "a.npz", before=np.zeros(3), array=array, after=np.ones(3))
    member = describe_member(tmp_path / "a.npz", "array")
    assert (member.shape, member.dtype) == (array.shape, array.dtype)
    for first in start:
        rows = list(iterate_rows(member, first, first + 7))
        assert (np.array(rows) == array[first : first + 7]).all()


def test_shards_in_order_inflate_the_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", array=picture(1, (20, 6, 5)))
    member = describe_member(tmp_path / "a.npz", "array")
    opened: list[str] = []
    original = zipfile.ZipFile.open

    def counting(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
        opened.append(name)
        return original(archive, name)

    monkeypatch.setattr(zipfile.ZipFile, "open", counting)
    for first in range(0, 20, 5):
        assert len(list(iterate_rows(member, first, first + 5))) == 5
    assert opened == ["array.npy"]


def test_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", array=np.array([{}, {}], dtype=object))
    with refused(SourceError, "array"):
        describe_member(tmp_path / "a.npz", "array")


def test_array_stored_by_columns_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", array=np.asfortranarray(picture(1, (4, 6, 5))))
    with refused(SourceError, "ascontiguousarray"):
        describe_member(tmp_path / "a.npz", "array")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_file_is_refused(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "a.npz"
    save(path, array=picture(1, (200, 16, 16)))
    member = describe_member(path, "array")
    path.write_bytes(path.read_bytes()[:9000])
    with refused(SourceError, "damaged"):
        list(iterate_rows(member, 0, 200))
    with refused(SourceError, "damaged"):
        describe_member(path, "array")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_byte_of_an_array_is_noticed(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "a.npz"
    save(path, array=picture(1, (200, 16, 16)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with refused(SourceError, "damaged"):
        list(iterate_rows(describe_member(path, "array"), 0, 200))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("array", ["train_images", "train_labels", "test_images", "notes"])
def test_file_with_a_damaged_array_is_not_opened(
    tmp_path: Path, array: str, compressed: bool
) -> None:
    notes = picture(9, (300,))
    path = write_npz(tmp_path / "a.npz", rows=400, compressed=compressed, notes=notes)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo(f"{array}.npy").header_offset
    content = bytearray(path.read_bytes())
    names = sum(int.from_bytes(content[place + i : place + i + 2], "little") for i in (26, 28))
    content[place + 30 + names + 150 - 100 * compressed] ^= 1
    path.write_bytes(content)
    with refused(SourceError, "a.npz", array):
        open_npz(path, "a.npz")


def test_missing_array_is_refused_with_what_is_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    with refused(SourceError, "'array'", "['images']"):
        describe_member(tmp_path / "a.npz", "array")
