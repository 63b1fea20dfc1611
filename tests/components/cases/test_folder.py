import pickle
import shutil
from pathlib import Path

import pytest

from components.cases.folder import open_folder, parse_name
from components.records.case import SPLITS, BadCase
from components.records.errors import SourceError
from tests.components.cases.making import read_cases, read_split, write_class_folders, write_picture
from tests.refusing import refused


@pytest.mark.parametrize(
    ("stem", "patient", "aetiology"),
    [
        ("person100_bacteria_475", "person100", "bacterial"),
        ("person1_virus_6", "person1", "viral"),
        ("person1_virus_6_2", "person1", "viral"),
        ("NORMAL2-IM-0381-0001", "NORMAL2-IM-0381", "none"),
        ("IM-0115-0001", "IM-0115", "none"),
        ("IM-0011-0001-0002", "IM-0011", "none"),
    ],
)
def test_kermany_names_give_patient_and_aetiology(stem: str, patient: str, aetiology: str) -> None:
    label = int(stem.startswith("person"))
    assert parse_name(stem, label) == (patient, {"aetiology": aetiology})


@pytest.mark.parametrize("stem", ["person_bacteria_1", "IM-0115", "xIM-0115-0001", "scan 7"])
def test_other_names_give_nothing(stem: str) -> None:
    assert parse_name(stem, 0) == (None, {})


def test_positive_image_is_never_said_to_have_no_aetiology() -> None:
    assert parse_name("IM-0115-0001", 1) == ("IM-0115", {})


def test_case_carries_what_path_and_name_say(tmp_path: Path) -> None:
    source = open_folder(write_class_folders(tmp_path / "chest"), "chest")
    sick = next(case for case in read_cases(source, "test") if case.label == 1)
    assert sick.case_id.startswith("test/PNEUMONIA/person0_virus_")
    assert sick.patient_id == "test/PNEUMONIA/person0"
    assert sick.attributes == {"aetiology": "viral"}
    assert (source.name, source.spec, source.synthetic) == ("chest", "chest", False)


def test_name_that_says_nothing_is_a_patient_of_its_own(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    write_picture(root / "test" / "NORMAL" / "scan 7.png", 1)
    ids = {case.case_id: case.patient_id for case in read_cases(open_folder(root, "x"), "test")}
    assert ids["test/NORMAL/scan 7"] == "test/NORMAL/scan 7"


def test_tune_is_cut_from_train_by_patient(tmp_path: Path) -> None:
    source = open_folder(write_class_folders(tmp_path), "x")
    train, tune = read_cases(source, "train"), read_cases(source, "tune")
    assert len(train) + len(tune) == 120
    assert 0 < len(tune) < len(train)
    assert not {c.patient_id for c in train} & {c.patient_id for c in tune}


def test_val_folder_is_the_tuning_split(tmp_path: Path) -> None:
    source = open_folder(write_class_folders(tmp_path, val=True), "x")
    assert len(read_cases(source, "train")) == 120
    assert {case.case_id.split("/")[0] for case in read_cases(source, "tune")} == {"val"}


def test_shard_size_changes_no_case_and_a_pickled_copy_reads_the_same(tmp_path: Path) -> None:
    source = open_folder(write_class_folders(tmp_path), "x")
    copy = pickle.loads(pickle.dumps(source))
    for split in SPLITS:
        assert read_cases(copy, split, cases_per_shard=7) == read_cases(source, split)
    assert source.shards("other") == []


def test_hidden_files_are_ignored_and_other_files_are_bad_cases(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    for name in (".DS_Store", "Thumbs.db", "notes.txt"):
        (root / "test" / "NORMAL" / name).write_text("x")
    found = read_split(open_folder(root, "x"), "test")
    bad = [case.where for case in found if isinstance(case, BadCase)]
    assert bad == ["test/NORMAL/notes.txt"]
    assert len(found) == 13


def test_fingerprint_follows_bytes_names_and_labels(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    source = open_folder(root, "x")
    seen = {source.fingerprint()}
    scan = root / "test" / "NORMAL" / "scan.png"
    write_picture(scan, 1)
    seen.add(source.fingerprint())
    write_picture(scan, 2)
    seen.add(source.fingerprint())
    scan.rename(root / "test" / "PNEUMONIA" / "scan.png")
    seen.add(source.fingerprint())
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("gone", "fact"),
    [
        ("test", "'test'"),
        ("train", "'train'"),
        ("train/NORMAL", "wanted exactly two"),
        ("test/PNEUMONIA", "as in train"),
    ],
)
def test_missing_folder_is_refused(tmp_path: Path, gone: str, fact: str) -> None:
    root = write_class_folders(tmp_path)
    shutil.rmtree(root / gone)
    with refused(SourceError, fact):
        open_folder(root, "x")


@pytest.mark.parametrize("empty", ["train/NORMAL", "test/PNEUMONIA", "val/NORMAL"])
def test_empty_class_is_refused(tmp_path: Path, empty: str) -> None:
    root = write_class_folders(tmp_path, val=True)
    for file in (root / empty).iterdir():
        file.unlink()
    with refused(SourceError, "case"):
        open_folder(root, "x")


@pytest.mark.parametrize(
    ("names", "fact"),
    [
        (("NORMAL", "ABNORMAL"), None),
        (("0", "1"), None),
        (("normal", "COVID"), None),
        (("cats", "dogs"), "'cats'"),
        (("normal", "negative"), "mean the same"),
    ],
)
def test_class_names_decide_the_labels(
    tmp_path: Path, names: tuple[str, str], fact: str | None
) -> None:
    root = write_class_folders(tmp_path)
    for split in ("train", "test"):
        (root / split / "NORMAL").rename(root / split / names[0])
        (root / split / "PNEUMONIA").rename(root / split / names[1])
    if fact is None:
        cases = read_cases(open_folder(root, "x"), "test")
        assert all(case.label == (f"/{names[1]}/" in case.case_id) for case in cases)
    else:
        with refused(SourceError, fact):
            open_folder(root, "x")


def test_misspelt_val_folder_is_refused(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    (root / "vall").mkdir()
    with refused(SourceError, "'vall'", "did you mean 'val'"):
        open_folder(root, "x")


def test_two_files_of_one_case_id_are_refused(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    write_picture(root / "test" / "NORMAL" / "scan.png", 1)
    write_picture(root / "test" / "NORMAL" / "scan.jpg", 1)
    with refused(SourceError, "scan.png: ", "/scan'", "scan.jpg"):
        open_folder(root, "x")


def test_every_radiograph_of_the_published_set_is_listed(
    tmp_path: Path, real_data: Path | None
) -> None:
    root = real_data / "chest_xray_224" if real_data else write_class_folders(tmp_path)
    source = open_folder(root, "x")
    rows = {split: source.shards(split)[-1].stop for split in SPLITS}
    assert rows["train"] + rows["tune"] == (1341 + 3875 if real_data else 120)
    assert rows["test"] == (234 + 390 if real_data else 12)
    first = next(iter(source.read(source.shards("tune")[0])))
    assert not isinstance(first, BadCase)
    assert first.attributes["aetiology"] == "none"
