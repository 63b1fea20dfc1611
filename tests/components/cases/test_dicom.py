import csv
import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from components.cases.dicom import DicomSource
from components.cases.images import bytes_sha256, decode
from components.cases.index import record_case
from components.cases.reading import Reading
from components.cases.sources import open_source
from components.dicom import index
from components.dicom.admission import Admission
from components.dicom.pseudonyms import site_pseudonyms
from components.records.case import SPLITS, BadCase, Case
from components.records.errors import SourceError
from tests.components.cases.making import read_cases, read_split
from tests.components.dicom.archive_server import Archive, serving
from tests.components.dicom.archives import (
    PRESENTATION_STATE,
    SECONDARY_CAPTURE,
    STRUCTURED_REPORT,
    radiograph,
    read_dicom,
    write_archive,
    write_dicom,
)
from tests.refusing import refused


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(root: Path, **settings: Any) -> DicomSource:
    source = open_source(str(root), Reading(dicom=Admission(**settings)))
    assert isinstance(source, DicomSource)
    return source


def add_row(root: Path, *cells: str) -> None:
    with (root / "labels.csv").open("a", newline="") as stream:
        csv.writer(stream).writerow(cells)


def case_id_of(dataset: Any) -> str:
    return site_pseudonyms(make=False).of("case", dataset.SOPInstanceUID)


def all_ids(source: DicomSource) -> list[str]:
    return [case.case_id for split in SPLITS for case in read_split(source, split)]


def test_files_of_any_name_and_depth_become_cases_of_their_splits(tmp_path: Path) -> None:
    source = opened(write_archive(tmp_path / "pacs"))
    assert [len(read_split(source, split)) for split in SPLITS] == [12, 6, 6]
    assert {case.label for case in read_cases(source, "test")} == {0, 1}
    assert source.spec == str(tmp_path / "pacs")


def test_a_case_is_the_file_decoded_to_grey(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    by_id = {case_id_of(read_dicom(path)): path for path in root.rglob("IM*")}
    for case in read_cases(opened(root), "tune"):
        stored = read_dicom(by_id[case.case_id]).pixel_array.astype(int)
        assert np.abs(decode(case.image) - stored / 4095 * 65535).max() <= 1
        record = record_case(case)
        assert record.bytes_sha256 == bytes_sha256(by_id[case.case_id].read_bytes())


def test_a_folder_with_a_directory_file_reads_the_same(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    before = opened(root)
    ids = all_ids(before)
    directory = radiograph(50, SOPClassUID="1.2.840.10008.1.3.10", Rows=None, PixelData=None)
    write_dicom(root / "DICOMDIR", directory)
    after = opened(root)
    assert all_ids(after) == ids
    assert "1 DICOMDIR" in " ".join(after.read_as.lines)


def test_what_is_no_case_is_left_out_and_counted(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    ids = all_ids(opened(root))
    others: dict[str, dict[str, Any]] = {
        "secondary capture": {"SOPClassUID": SECONDARY_CAPTURE},
        "structured report": {"SOPClassUID": STRUCTURED_REPORT},
        "presentation state": {"SOPClassUID": PRESENTATION_STATE},
        "localizer": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        "screenshot": {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        "multi-frame image": {"NumberOfFrames": 3},
        "view LL": {"ViewPosition": "LL"},
        "body part HAND": {"BodyPartExamined": "HAND"},
        "modality MG": {"Modality": "MG"},
    }
    for number, elements in enumerate(others.values(), 100):
        write_dicom(root / f"other{number}", radiograph(number, **elements))
    (root / "README.txt").write_text("exported on Monday")
    source = opened(root)
    said = " ".join(source.read_as.lines)
    assert [what for what in (*others, "not DICOM") if f"1 {what}" not in said] == []
    assert "10 files" in said
    assert all_ids(source) == ids


def test_a_hand_among_chests_is_found_by_its_tag(tmp_path: Path) -> None:
    hand = get_testdata_file("RG3_UNCI.dcm", download=False)
    assert hand is not None  # of pydicom-data
    root = write_archive(tmp_path / "pacs")
    (root / "hand").write_bytes(Path(str(hand)).read_bytes())
    assert "1 body part EXTREMITY" in " ".join(opened(root).read_as.lines)


def test_a_series_with_two_views_is_two_cases(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    before = len(all_ids(opened(root)))
    lateral = radiograph(0, SOPInstanceUID="1.2.3.4", ViewPosition="LL")
    write_dicom(root / "lateral", lateral)
    add_row(root, lateral.SOPInstanceUID, "0", "train")
    assert len(all_ids(opened(root))) == before
    assert len(all_ids(opened(root, views=("PA", "AP", "LL")))) == before + 1


@pytest.mark.parametrize("key", ["StudyInstanceUID", "AccessionNumber", "path"])
def test_other_keys_name_the_same_cases(tmp_path: Path, key: str) -> None:
    root = write_archive(tmp_path / "pacs")
    expected = {split: read_split(opened(root), split) for split in SPLITS}
    labels = {row["SOPInstanceUID"]: row for row in table_of(root)}
    lines = [f"{key},label,split"]
    for path in sorted(root.rglob("IM*")):
        dataset = read_dicom(path)
        name = str(path.relative_to(root)) if key == "path" else str(dataset[key].value)
        row = labels[dataset.SOPInstanceUID]
        lines.append(f"{name},{row['label']},{row['split']}")
    (root / "labels.csv").unlink()
    name = "manifest.csv" if key == "path" else "labels.csv"
    (root / name).write_text("\n".join(lines))
    assert {split: read_split(opened(root), split) for split in SPLITS} == expected


def table_of(root: Path) -> list[dict[str, str]]:
    with (root / "labels.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def without_label(root: Path) -> None:
    write_dicom(root / "new", radiograph(77))


def without_file(root: Path) -> None:
    add_row(root, "1.2.3.4.5", "1", "train")


def twice_in_the_table(root: Path) -> None:
    add_row(root, table_of(root)[0]["SOPInstanceUID"], "1", "train")


def twice_in_the_folder(root: Path) -> None:
    first = next(iter(sorted(root.rglob("IM*"))))
    (root / "copy").write_bytes(first.read_bytes())


def without_split(root: Path) -> None:
    dataset = radiograph(77)
    write_dicom(root / "new", dataset)
    add_row(root, dataset.SOPInstanceUID, "1", "")


def on_both_sides(root: Path) -> None:
    dataset = radiograph(77, patient="MRN00000")
    write_dicom(root / "new", dataset)
    add_row(root, dataset.SOPInstanceUID, "1", "test")


def unknown_label(root: Path) -> None:
    dataset = radiograph(77)
    write_dicom(root / "new", dataset)
    add_row(root, dataset.SOPInstanceUID, "pnuemonia", "test")


def no_table(root: Path) -> None:
    (root / "labels.csv").unlink()


@pytest.mark.parametrize(
    ("damage", "facts"),
    [
        (without_label, ["1 pictures have no label", "labels"]),
        (without_file, ["labels.csv:26", "no file"]),
        (twice_in_the_table, ["labels.csv:26", "labels.csv:2"]),
        (twice_in_the_folder, ["case", "once"]),
        (without_split, ["labels.csv:26", "no split"]),
        (on_both_sides, ["'train'", "'test'", "one split for a patient"]),
        (unknown_label, ["labels.csv:26", "'pnuemonia'"]),
        (no_table, ["labels.csv"]),
    ],
)
def test_what_cannot_be_joined_is_one_line_without_an_identifier(
    tmp_path: Path, damage: Callable[[Path], None], facts: list[str]
) -> None:
    root = write_archive(tmp_path / "pacs")
    damage(root)
    with refused(SourceError, *facts) as caught:
        opened(root)
    said = str(caught.value)
    assert [word for word in ("MRN0", "ACC0", "Rossi", "1.2.3.4.5", "2.25.") if word in said] == []


def test_a_study_of_two_pictures_of_one_view_is_no_key(tmp_path: Path) -> None:
    root = tmp_path / "pacs"
    write_dicom(root / "a", radiograph(1, SOPInstanceUID="1.2.1"))
    write_dicom(root / "b", radiograph(1, SOPInstanceUID="1.2.2"))
    (root / "labels.csv").write_text("AccessionNumber,label\nACC00001,1\n")
    with refused(SourceError, "labels.csv:2", "SOPInstanceUID", "two pictures") as caught:
        opened(root)
    assert "ACC00001" not in str(caught.value)


def test_without_a_split_column_the_patient_decides(tmp_path: Path) -> None:
    root = tmp_path / "pacs"
    rows = ["SOPInstanceUID,label"]
    for number in range(90):
        dataset = radiograph(number, patient=f"P{number // 2}")
        write_dicom(root / str(number), dataset)
        rows.append(f"{dataset.SOPInstanceUID},{number % 2}")
    (root / "labels.csv").write_text("\n".join(rows))
    source = opened(root)
    sides = {split: {case.patient_id for case in read_cases(source, split)} for split in SPLITS}
    assert all(sides.values())
    assert sum(map(len, sides.values())) == len(set.union(*sides.values())) == 45


def test_the_name_of_a_file_moves_nobody(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    before = {split: sorted(all_rows(opened(root), split)) for split in SPLITS}
    for number, path in enumerate(sorted(root.rglob("IM*"))):
        path.rename(root / f"{random.Random(number).random()}")
    assert {split: sorted(all_rows(opened(root), split)) for split in SPLITS} == before


def all_rows(source: DicomSource, split: str) -> list[tuple[str, str, int]]:
    return [(case.case_id, case.patient_id, case.label) for case in read_cases(source, split)]


def bad_cases(source: DicomSource) -> list[BadCase]:
    return [
        case for split in SPLITS for case in read_split(source, split) if isinstance(case, BadCase)
    ]


@pytest.mark.parametrize(
    ("elements", "word"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation"),
        ({"PatientID": ""}, "PatientID"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PhotometricInterpretation"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named_with_its_reason(
    tmp_path: Path, elements: dict[str, Any], word: str
) -> None:
    root = write_archive(tmp_path / "pacs")
    dataset = radiograph(0, **elements)
    (path,) = (root / "Rossi_Patient0").iterdir()
    write_dicom(path, dataset)
    (bad,) = bad_cases(opened(root))
    assert bad.where == case_id_of(dataset)
    assert word in bad.reason


def test_burned_in_names_can_be_admitted(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    write_dicom(root / "Rossi_Patient0" / "IM0000", radiograph(0, BurnedInAnnotation="YES"))
    assert bad_cases(opened(root, burned_in=True)) == []


def test_a_damaged_file_is_a_case_that_cannot_be_used(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    content = next(iter(root.rglob("IM0000"))).read_bytes()
    (root / "Rossi_broken").write_bytes(content[:140])
    (bad,) = bad_cases(opened(root))
    assert "damaged" in bad.reason
    assert "Rossi" not in bad.where


def test_pixels_that_end_early_are_a_bad_case_and_not_an_error(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    path = root / "Rossi_Patient0" / "IM0000"
    path.write_bytes(path.read_bytes()[:-100])
    (bad,) = bad_cases(opened(root))
    assert bad.where == case_id_of(radiograph(0))


def test_all_left_out_says_what_there_was(tmp_path: Path) -> None:
    root = tmp_path / "pacs"
    write_dicom(root / "a", radiograph(1, ViewPosition="LL"))
    (root / "labels.csv").write_text(f"SOPInstanceUID,label\n{radiograph(1).SOPInstanceUID},1\n")
    with refused(SourceError, "1 view LL", "data.dicom"):
        opened(root)


def test_a_column_of_the_table_is_an_attribute_where_it_is_named(tmp_path: Path) -> None:
    root = tmp_path / "pacs"
    rows = ["SOPInstanceUID,label,split,site,ward"]
    for number in range(6):
        dataset = radiograph(number)
        write_dicom(root / str(number), dataset)
        rows.append(f"{dataset.SOPInstanceUID},{number % 2},{SPLITS[number // 2]},north,W7")
    (root / "labels.csv").write_text("\n".join(rows))
    (case, _) = read_cases(opened(root), "test")
    assert case.attributes["site"] == "north"
    assert "ward" not in case.attributes
    assert "ward" in " ".join(opened(root).read_as.lines)
    (case, _) = read_cases(open_source(str(root), Reading(attributes=("ward",))), "test")
    assert case.attributes["ward"] == "W7"


def test_settings_survive_as_a_component_gets_them(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    table = (root / "labels.csv").rename(tmp_path / "my labels.csv")
    admission = Admission(labels=str(table), views=("PA",), burned_in=True, unchanged="times")
    reading = Reading(dicom=admission)
    source = open_source(str(root), reading)
    again = open_source(source.spec, Reading.from_json(reading.to_json()))
    assert again == source
    assert again.fingerprint() == source.fingerprint()


def test_words_mean_what_the_configuration_says(tmp_path: Path) -> None:
    root = tmp_path / "pacs"
    rows = ["SOPInstanceUID,finding,fold"]
    words = ("well", "consolidation", "covid")
    for number in range(9):
        dataset = radiograph(number)
        write_dicom(root / str(number), dataset)
        rows.append(f"{dataset.SOPInstanceUID},{words[number % 3]},{SPLITS[number // 3]}")
    (root / "labels.csv").write_text("\n".join(rows))
    said = (("well", 0), ("consolidation", 1), ("covid", None))
    columns = (("label", "finding"), ("split", "fold"))
    source = open_source(str(root), Reading(labels=said, columns=columns))
    assert [case.label for case in read_cases(source, "test")] in ([0, 1], [1, 0])
    assert source.read_as.labels == dict(said)
    assert "3 labelled covid" in " ".join(source.read_as.lines)


def test_the_fingerprint_follows_bytes_labels_and_settings(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    seen = {opened(root).fingerprint()}
    path = root / "Rossi_Patient0" / "IM0000"
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # only the bytes tell
    seen.add(opened(root).fingerprint())
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace(",0,train", ",1,train", 1))
    seen.add(opened(root).fingerprint())
    assert len(seen) == 3


def test_a_second_look_opens_no_file_where_times_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_archive(tmp_path / "pacs")
    first = opened(root, unchanged="times").fingerprint()
    opened_files: list[Path] = []
    real = index.sha256_file

    def counted(path: Path) -> str:
        if path.is_relative_to(root):
            opened_files.append(path)
        return real(path)

    monkeypatch.setattr(index, "sha256_file", counted)
    monkeypatch.setattr(index, "parse_dataset", lambda *_, **__: pytest.fail("parsed again"))
    from components.cases import dicom

    dicom._listings.clear()
    assert opened(root, unchanged="times").fingerprint() == first
    assert opened_files == []
    opened(root).fingerprint()
    assert len(opened_files) == 24


def test_the_cache_holds_no_name_and_no_number(tmp_path: Path, cache: Path) -> None:
    opened(write_archive(tmp_path / "pacs")).fingerprint()
    files = [path for path in cache.rglob("*") if path.is_file()]
    held = b"".join(path.read_bytes() for path in files)
    assert files and b"case_id" in held
    assert [word for word in (b"Rossi", b"MRN0", b"ACC0", b"1961", b"2.25.") if word in held] == []


def test_a_worker_with_another_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pickle.loads(pickle.dumps(opened(write_archive(tmp_path / "pacs"))))  # noqa: S301
    monkeypatch.setenv("CASEGATE_SITE_SECRET", "the secret of another site")
    site_pseudonyms.cache_clear()
    try:
        with refused(SourceError, "site secret"):
            source.shards("test")
    finally:
        site_pseudonyms.cache_clear()


def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs")
    source = opened(root)
    os.utime(root / "Rossi_Patient0" / "IM0000", (1, 1))
    from components.cases import dicom

    dicom._listings.clear()  # as another process has none
    with refused(SourceError, "changed"):
        source.shards("test")


def test_cases_come_in_order_whatever_thread_is_first(tmp_path: Path) -> None:
    source = opened(write_archive(tmp_path / "pacs"))
    whole = [case.case_id for case in read_split(source, "train")]
    parts = [case.case_id for case in read_split(source, "train", cases_per_shard=5)]
    assert whole == parts
    assert all(isinstance(case, Case) for case in read_split(source, "train"))


@pytest.fixture
def archive() -> Iterator[Archive]:
    with serving(Archive([radiograph(number) for number in range(24)])) as started:
        yield started


def labels_of(archive: Archive, path: Path) -> Path:
    rows = [
        f"{one.AccessionNumber},{number % 2},{SPLITS[number // 2 % 3]}"
        for number, one in enumerate(archive.instances)
    ]
    path.write_text("\n".join(["AccessionNumber,label,split", *rows]))
    return path


def reading_with(labels: Path) -> Reading:
    return Reading(dicom=Admission(labels=str(labels)))


def test_an_archive_is_a_source_like_a_folder(archive: Archive, tmp_path: Path) -> None:
    labels = labels_of(archive, tmp_path / "labels.csv")
    spec = f"dicomweb:{archive.address}?Modality=DX"
    source = open_source(spec, reading_with(labels))
    assert source.name == "dicomweb"
    assert [len(read_cases(source, split)) for split in SPLITS] == [8, 8, 8]
    assert {case_id_of(one) for one in archive.instances} == set(all_ids(source))


def test_what_was_opened_stays_the_same_while_the_archive_grows(
    archive: Archive, tmp_path: Path
) -> None:
    labels = labels_of(archive, tmp_path / "labels.csv")
    reading = reading_with(labels)
    spec = f"dicomweb:{archive.address}?Modality=DX"
    source = open_source(spec, reading)
    archive.instances.append(radiograph(100))
    archive.asked.clear()
    again = open_source(source.spec, reading)
    assert again == source
    assert again.fingerprint() == source.fingerprint()
    assert archive.asked == []
    with refused(SourceError, "no label"):
        open_source(spec, reading)


def test_a_list_that_the_archive_no_longer_gives_is_refused(
    archive: Archive, tmp_path: Path, cache: Path
) -> None:
    labels = labels_of(archive, tmp_path / "labels.csv")
    reading = reading_with(labels)
    source = open_source(f"dicomweb:{archive.address}", reading)
    before = source.fingerprint()
    shutil.rmtree(cache)
    assert open_source(source.spec, reading).fingerprint() == before
    shutil.rmtree(cache)
    archive.instances.pop()
    with refused(SourceError, "other pictures"):
        open_source(source.spec, reading)


def test_an_archive_without_labels_is_refused(archive: Archive) -> None:
    with refused(SourceError, "data.dicom.labels"):
        open_source(f"dicomweb:{archive.address}")
