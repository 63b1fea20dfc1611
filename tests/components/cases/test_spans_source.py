"""The cases of several spans, as one source of training data."""

import os
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from components.cases.images import decode, encode_png
from components.cases.reading import PLAIN, Reading
from components.cases.sources import open_source
from components.cases.spans import resolve_spans
from components.records.case import BadCase, Source
from components.records.errors import SourceError
from tests.components.cases.making import (
    picture,
    read_cases,
    read_split,
    write_class_folders,
    write_npz,
    write_picture,
)
from tests.components.dicom.archives import write_archive
from tests.refusing import refused


def write_span(
    folder: Path, *, patients: Sequence[int], split: str = "", case_id: bool = True
) -> Path:
    """A span with a manifest: a positive and a negative image of each patient."""
    columns = ["path", "label", "patient_id"]
    columns += ["case_id"] if case_id else []
    columns += ["split"] if split else []
    lines = [",".join(columns)]
    for patient in patients:
        for label in (0, 1):
            path = f"images/{patient}-{label}.png"
            write_picture(folder / path, 2 * patient + label)
            named = [f"case-{patient}-{label}"] if case_id else []
            lines.append(
                ",".join([path, str(label), f"p{patient}", *named, *filter(None, [split])])
            )
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def opened(folder: Path, pattern: str = "span-{SPAN:4}", reading: Reading = PLAIN) -> Source:
    spans = resolve_spans(f"{folder}/{pattern}", window="expanding", window_spans=1)
    return open_source(spans.spec, reading)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three spans; patient 5 comes in the first and in the last."""
    root = tmp_path / "chest"
    write_span(root / "span-0001", patients=range(10))
    write_span(root / "span-0002", patients=range(10, 20), case_id=False)
    write_span(root / "span-0004", patients=(*range(20, 29), 5), case_id=False)
    return root


def test_spans_are_one_source_of_training_data(folder: Path) -> None:
    source = opened(folder)
    train, tune = read_cases(source, "train"), read_cases(source, "tune")
    assert source.name == "chest" and len(train) + len(tune) == 60 and tune
    assert source.shards("test") == []
    assert {case.attributes["span"] for case in train} == {"span-0001", "span-0002", "span-0004"}


def test_a_patient_is_in_one_split_of_all_spans(folder: Path) -> None:
    source = opened(folder)
    split_of = {
        split: {c.patient_id for c in read_cases(source, split)} for split in ("train", "tune")
    }
    assert not split_of["train"] & split_of["tune"]
    back = [
        case for split in split_of for case in read_cases(source, split) if case.patient_id == "p5"
    ]
    assert {case.attributes["span"] for case in back} == {"span-0001", "span-0004"}


def test_the_split_of_a_patient_stays_when_a_span_comes(folder: Path) -> None:
    before = {case.patient_id for case in read_cases(opened(folder), "tune")}
    write_span(folder / "span-0005", patients=range(30, 40))
    after = {case.patient_id for case in read_cases(opened(folder), "tune")}
    assert before < after


def test_cases_do_not_depend_on_the_shard_they_are_read_in(folder: Path) -> None:
    source = pickle.loads(pickle.dumps(opened(folder)))
    assert read_cases(source, "train", 7) == read_cases(source, "train")
    assert sum(
        shard.stop - shard.start for shard in source.shards("tune", cases_per_shard=3)
    ) == len(read_cases(source, "tune"))


def test_a_case_id_made_of_a_path_begins_with_its_span(folder: Path) -> None:
    ids = {
        case.case_id for split in ("train", "tune") for case in read_cases(opened(folder), split)
    }
    assert len(ids) == 60
    assert {"case-5-0", "span-0002/images/10-1", "span-0004/images/5-0"} <= ids


def test_one_path_in_two_spans_is_two_cases_in_one_split(tmp_path: Path) -> None:
    """Without patient ids nobody knows whether 3-0.png is the same child each week."""
    for name in ("span-0001", "span-0002"):
        span = write_span(tmp_path / name, patients=range(20), case_id=False)
        lines = (span / "manifest.csv").read_text().splitlines()
        (span / "manifest.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    with refused(SourceError, "data.patient_pattern"):
        opened(tmp_path)
    source = opened(tmp_path, reading=Reading(patient_pattern="each_file"))
    assert source.read_as.patients == {"": 80}
    tune = [case.case_id for case in read_cases(source, "tune")]
    first, second = ([i[10:] for i in tune if i.startswith(f"span-000{n}/")] for n in (1, 2))
    assert first and first == second and len(tune) == 2 * len(first)


def test_one_case_id_in_two_spans_is_refused_and_names_both(folder: Path) -> None:
    shutil.copytree(folder / "span-0001", folder / "span-0003")
    places = ("span-0003: images/0-0.png: ", "span-0001: images/0-0.png")
    with refused(SourceError, "'case-0-0'", *places):
        opened(folder)


def test_splits_of_the_spans_own_are_kept(tmp_path: Path) -> None:
    write_span(tmp_path / "span-0001", patients=range(8), split="train")
    write_span(tmp_path / "span-0002", patients=range(8, 10), split="val")
    source = opened(tmp_path)
    assert {case.attributes["span"] for case in read_cases(source, "tune")} == {"span-0002"}
    assert len(read_cases(source, "train")) == 16


def test_splits_that_part_a_patient_are_refused(tmp_path: Path) -> None:
    write_span(tmp_path / "span-0001", patients=[1, 2], split="train")
    write_span(tmp_path / "span-0002", patients=[2, 3], split="tune", case_id=False)
    with refused(SourceError, "'p2'", "'tune'", "'train'", "span-0001: images/2-0.png"):
        opened(tmp_path)


def test_a_test_case_in_a_span_is_refused(folder: Path) -> None:
    write_span(folder / "span-0005", patients=[50], split="test")
    with refused(SourceError, "span-0005: ", "2 cases", "'test'", "images/50-0"):
        opened(folder)


def test_one_span_may_lack_a_class_and_all_together_must_not(tmp_path: Path) -> None:
    for number, label in ((1, 0), (2, 1)):
        span = write_span(
            tmp_path / f"span-000{number}", patients=range(20 * number, 20 * number + 20)
        )
        lines = (span / "manifest.csv").read_text().splitlines()
        kept = [lines[0], *(line for line in lines if f",{label}," in line)]
        (span / "manifest.csv").write_text("\n".join(kept))
    assert {case.label for case in read_cases(opened(tmp_path), "tune")} == {0, 1}
    shutil.rmtree(tmp_path / "span-0002")
    with refused(SourceError, "no positive", "'train'"):
        opened(tmp_path)


def test_one_pixel_changes_the_fingerprint_whatever_the_file_times_say(folder: Path) -> None:
    before = opened(folder).fingerprint()
    path = folder / "span-0002" / "images" / "12-1.png"
    times = path.stat()
    samples = decode(path.read_bytes()).copy()
    samples[3, 4] ^= 1
    path.write_bytes(encode_png(samples))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert opened(folder).fingerprint() != before


def test_the_fingerprint_follows_labels_names_and_the_window(folder: Path) -> None:
    found = {opened(folder).fingerprint()}
    found.add(opened(folder).fingerprint())
    assert len(found) == 1
    manifest = folder / "span-0001" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("0.png,0,p0", "0.png,1,p0"))
    found.add(opened(folder).fingerprint())
    (folder / "span-0004").rename(folder / "span-0003")
    found.add(opened(folder).fingerprint())
    rolling = resolve_spans(f"{folder}/span-{{SPAN:4}}", window="rolling", window_spans=2)
    found.add(open_source(rolling.spec).fingerprint())
    assert len(found) == 4


def test_a_span_of_class_folders_needs_no_test_folder_and_no_second_class(tmp_path: Path) -> None:
    for name in ("span-0001", "span-0002"):
        write_class_folders(tmp_path / name)
        shutil.rmtree(tmp_path / name / "test")
    shutil.rmtree(tmp_path / "span-0002" / "train" / "PNEUMONIA")
    source = opened(tmp_path)
    train, tune = read_cases(source, "train"), read_cases(source, "tune")
    assert len(train) + len(tune) == 180 and len({c.case_id for c in [*train, *tune]}) == 180
    assert not {c.patient_id for c in train} & {c.patient_id for c in tune}
    patient = "train/NORMAL/IM-0003"  # may be one child in both spans, so both are in one split
    assert [c.case_id for c in [*train, *tune] if c.patient_id == patient][::2] == [
        f"span-000{number}/train/NORMAL/IM-0003-0000" for number in (1, 2)
    ]


def test_a_test_folder_in_a_span_is_refused(tmp_path: Path) -> None:
    write_class_folders(tmp_path / "span-0001")
    with refused(SourceError, "12 cases", "'test'"):
        opened(tmp_path)


def test_the_picture_decides_the_split_in_npz_spans(tmp_path: Path) -> None:
    nothing = {"test_images": picture(0, (0, 8, 8)), "test_labels": np.zeros((0, 1), np.uint8)}
    for number in (1, 2):  # the same pictures, but train and val changed places
        one, other = (number, 3 - number)
        images = {
            "train_images": picture(one, (40, 8, 8)),
            "val_images": picture(other, (40, 8, 8)),
        }
        write_npz(tmp_path / f"span-000{number}.npz", rows=40, **images, **nothing)
    source = opened(tmp_path, "span-{SPAN:4}.npz")
    train, tune = read_cases(source, "train", 9), read_cases(source, "tune")
    assert len(train) + len(tune) == 160 and len({c.case_id for c in [*train, *tune]}) == 160
    assert not {c.patient_id for c in train} & {c.patient_id for c in tune}
    case = next(case for case in tune if case.case_id.startswith("span-0002-train-"))
    assert (decode(case.image) == picture(2, (40, 8, 8))[int(case.case_id[-5:])]).all()
    assert case.attributes == {"span": "span-0002"}


def test_an_npz_span_may_be_train_alone_but_not_hold_test_cases(tmp_path: Path) -> None:
    arrays = {"train_images": picture(1, (40, 8, 8)), "train_labels": np.arange(40) % 2}
    np.savez(tmp_path / "1.npz", **arrays)
    assert read_cases(opened(tmp_path, "{SPAN}.npz"), "tune")
    write_npz(tmp_path / "2.npz")
    with refused(SourceError, "20 cases", "'test'", "test_images[0]"):
        opened(tmp_path, "{SPAN}.npz")


def test_an_unusable_image_is_named_with_its_span(folder: Path) -> None:
    (folder / "span-0002" / "images" / "11-0.png").write_bytes(b"no image")
    bad = [
        c
        for s in ("train", "tune")
        for c in read_split(opened(folder), s)
        if isinstance(c, BadCase)
    ]
    assert [case.where for case in bad] == ["span-0002/images/11-0.png"]


def test_a_span_that_changes_while_it_is_read_stops(folder: Path) -> None:
    source = opened(folder)
    with (folder / "span-0002" / "manifest.csv").open("a") as manifest:
        manifest.write("images/extra.png,0,p10\n")
    write_picture(folder / "span-0002" / "images" / "extra.png", 99)
    with refused(SourceError, "span-0002: ", "changed"):
        [read_split(source, split) for split in ("train", "tune")]


@pytest.mark.parametrize("empty", [True, False])
def test_what_is_no_span_is_refused(tmp_path: Path, empty: bool) -> None:
    (tmp_path / "span-0001").mkdir() if empty else (tmp_path / "span-0001").touch()
    with refused(SourceError, "span-0001: ", "manifest.csv"):
        opened(tmp_path)


def test_a_pattern_without_numbers_is_no_source(folder: Path) -> None:
    with refused(SourceError, "spans:", "@1-3", "data.source"):
        open_source(f"{folder}/span-{{SPAN:4}}")


def test_an_attribute_named_span_is_left_as_it_is(folder: Path) -> None:
    manifest = folder / "span-0001" / "manifest.csv"
    header, *lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{header},span", *(f"{line},week 3" for line in lines)]))
    spans = {case.attributes["span"] for case in read_cases(opened(folder), "train")}
    assert spans == {"week 3", "span-0002", "span-0004"}


@pytest.mark.parametrize("manifest", [True, False])
def test_a_span_of_dicom_is_refused_before_a_path_is_shown(tmp_path: Path, manifest: bool) -> None:
    root = write_archive(tmp_path / "span-0001", cases=2)
    (root / "labels.csv").unlink()
    if manifest:
        rows = [f"{path.relative_to(root)},1" for path in root.rglob("IM*")]
        (root / "manifest.csv").write_text("\n".join(["path,label", *rows]))
    with refused(SourceError, "span-0001: ", "DICOM") as caught:
        opened(tmp_path)
    assert "Rossi" not in str(caught.value)
