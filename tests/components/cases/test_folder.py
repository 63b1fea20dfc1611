import pickle
import shutil
from pathlib import Path

import pytest

from components.cases.folder import open_folder
from components.cases.reading import PLAIN, Reading
from components.records.case import SPLITS, BadCase
from components.records.errors import SourceError
from tests.components.cases.making import read_cases, read_split, write_class_folders, write_picture
from tests.refusing import refused


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
        ("train/NORMAL", "none of which is negative"),
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
        (("well", "sick"), None),
        (("normal", "COVID"), "'COVID'"),
        (("COVID", "PNEUMONIA"), "'COVID'"),
        (("1", "2"), "'2'"),
        (("cats", "dogs"), "'cats'"),
        (("normal", "negative"), "none of which is positive"),
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


@pytest.mark.parametrize("name", ["train2", "validation_old", "extra", "chest_xray", "tests"])
def test_a_folder_that_is_no_split_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    root = write_class_folders(tmp_path)
    (root / name).mkdir()
    with refused(SourceError, f"'{name}'", "move it"):
        open_folder(root, "x")


@pytest.mark.parametrize("name", ["valid", "validation", "dev", "tune"])
def test_other_words_for_tuning_are_known_and_one_of_them_will_do(
    tmp_path: Path, name: str
) -> None:
    root = write_class_folders(tmp_path, val=True)
    (root / "val").rename(root / name)
    assert len(read_cases(open_folder(root, "x"), "tune")) == 12
    (root / "val").mkdir()
    with refused(SourceError, f"'{name}'", "'val'", "one of them"):
        open_folder(root, "x")


def test_a_third_class_goes_where_a_person_says(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    for split in ("train", "test"):
        write_picture(root / split / "COVID" / "scan.png", 1)
    with refused(SourceError, "'COVID'", "data.labels: {COVID: 0|1|out, NORMAL: 0, PNEUMONIA: 1}"):
        open_folder(root, "x")
    shown = {}
    for covid in (None, 1):
        said = Reading(labels=(("NORMAL", 0), ("COVID", covid), ("PNEUMONIA", 1)))
        source = open_folder(root, "x", said)
        shown[covid] = {
            case.label for case in read_cases(source, "test") if "COVID" in case.case_id
        }
        assert source.read_as.labels == {"COVID": covid, "NORMAL": 0, "PNEUMONIA": 1}
    assert shown == {None: set(), 1: {1}}
    with refused(SourceError, "no negative case"):
        open_folder(root, "x", Reading(labels=(("NORMAL", 1), ("COVID", 1), ("PNEUMONIA", 1))))
    (root / "test" / "PNEUMONIA").rename(root / "test" / "VIRAL")
    (root / "test" / "COVID" / "scan.png").unlink()
    (root / "test" / "COVID").rmdir()
    named = Reading(labels=(("NORMAL", 0), ("COVID", None), ("PNEUMONIA", 1), ("VIRAL", 1)))
    assert sum(case.label for case in read_cases(open_folder(root, "x", named), "test")) == 6


def test_what_a_person_says_changes_the_fingerprint(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    ways = [PLAIN, Reading(tune_from_train=0.1), Reading(labels=(("NORMAL", 1), ("PNEUMONIA", 0)))]
    assert len({open_folder(root, "x", way).fingerprint() for way in ways}) == 3


def test_patients_of_version_3_stay_on_one_side(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path, patients=0)
    for patient in range(40):
        for image in range(3):
            for name in (
                f"NORMAL/NORMAL-{2000 + patient}-{image}",
                f"PNEUMONIA/VIRUS-{patient}-{image}",
            ):
                write_picture(root / "train" / f"{name}.jpeg", 1)
    source = open_folder(root, "x")
    train, tune = read_cases(source, "train"), read_cases(source, "tune")
    assert len(train) + len(tune) == 240 and tune
    assert not {c.patient_id for c in train} & {c.patient_id for c in tune}
    assert {c.patient_id for c in train + tune} == {
        str(n) for n in [*range(40), *range(2000, 2040)]
    }
    write_picture(root / "test" / "NORMAL" / "NORMAL-7-0009.jpeg", 1)
    with refused(SourceError, "patient '7'", "data.patient_pattern"):
        open_folder(root, "x")


def test_numbers_that_may_be_patients_are_asked_about(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    for patient in range(20):
        for view in ("a", "b"):
            write_picture(root / "train" / "NORMAL" / f"c{patient:03d}{view}.png", 1)
    with refused(SourceError, "data.patient_pattern", "each_file"):
        open_folder(root, "x")
    each = open_folder(root, "x", Reading(patient_pattern="each_file"))
    assert each.read_as.patients == {"": 172}


def test_tune_is_carved_from_train_by_patient_and_val_left_out(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path, val=True, patients=60)
    source = open_folder(root, "x", Reading(tune_from_train=0.3))
    train, tune = read_cases(source, "train"), read_cases(source, "tune")
    assert len(train) + len(tune) == 240 and 40 < len(tune) < 110
    assert {case.case_id.split("/")[0] for case in tune} == {"train"}
    assert not {c.patient_id for c in train} & {c.patient_id for c in tune}
    assert any("left out" in line for line in source.read_as.lines)
    again = open_folder(root, "x", Reading(tune_from_train=0.3))
    assert [c.case_id for c in read_cases(again, "tune")] == [c.case_id for c in tune]


def test_an_image_beside_the_class_folders_is_refused(tmp_path: Path) -> None:
    root = write_class_folders(tmp_path)
    write_picture(root / "train" / "loose.png", 1)
    with refused(SourceError, "loose.png", "unused"):
        open_folder(root, "x")
