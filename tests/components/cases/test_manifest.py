from pathlib import Path

import pytest

from components.cases.manifest import open_manifest
from components.cases.reading import Reading
from components.records.case import SPLITS
from components.records.errors import SourceError
from tests.components.cases.making import read_cases, write_picture
from tests.refusing import refused

BROKEN = Path(__file__).parents[2] / "broken" / "manifests"
ROWS = [
    (f"{split}-{label}.png", str(label), split)
    for split in ("train", "val", "test")
    for label in (0, 1)
]


def write_manifest(root: Path, text: str) -> Path:
    for number, (path, _, _) in enumerate(ROWS):
        write_picture(root / path, number)
    (root / "manifest.csv").write_bytes(text.encode())
    return root


def plain_manifest(root: Path) -> Path:
    return write_manifest(root, "path,label,split\n" + "".join(f"{','.join(r)}\n" for r in ROWS))


@pytest.mark.parametrize("path", sorted(BROKEN.iterdir()), ids=lambda path: path.stem)
def test_broken_manifest_is_refused_in_one_line(tmp_path: Path, path: Path) -> None:
    root = tmp_path / "data"
    for number, name in enumerate("abcde"):
        write_picture(root / f"{name}.png", number)
    write_picture(tmp_path / "outside.png", 9)
    (root / "link_out.png").symlink_to(tmp_path / "outside.png")
    (root / "manifest.csv").write_bytes(path.read_bytes())
    with refused(SourceError) as caught:
        open_manifest(root, "data")
    whole = {"no_rows", "test_without_positives"}
    assert ("manifest.csv:" in str(caught.value)) is (path.stem not in whole)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("path_leaves_folder", ["manifest.csv:3: ", "'../outside.png'"]),
        ("absolute_path", ["manifest.csv:3: ", "'/etc/hostname'"]),
        ("link_leads_out", ["manifest.csv:3: ", "'link_out.png'", "link"]),
        ("missing_file", ["manifest.csv:3: ", "'absent.png'"]),
        ("case_id_twice", ["manifest.csv:3: ", "'one'", "manifest.csv:2"]),
        ("unknown_label", ["manifest.csv:3: ", "'pnuemonia'", "'pneumonia'"]),
        ("misspelt_patient_id", ["manifest.csv:1: ", "'patientid'", "'patient_id'"]),
        ("patient_in_two_splits", ["manifest.csv:3: ", "'p1'", "'test'", "'train'"]),
        ("latin1", ["manifest.csv:2: ", "UTF-8"]),
        ("test_without_positives", ["no positive", "'test'"]),
    ],
)
def test_refusal_names_the_fault(tmp_path: Path, name: str, facts: list[str]) -> None:
    for number, image in enumerate("abcde"):
        write_picture(tmp_path / f"{image}.png", number)
    (tmp_path / "link_out.png").symlink_to("/etc/hostname")
    (tmp_path / "manifest.csv").write_bytes((BROKEN / f"{name}.csv").read_bytes())
    with refused(SourceError, *facts):
        open_manifest(tmp_path, "data")


def test_plain_manifest_gives_its_splits_and_labels(tmp_path: Path) -> None:
    source = open_manifest(plain_manifest(tmp_path), "x")
    for split, word in (("train", "train"), ("tune", "val"), ("test", "test")):
        cases = read_cases(source, split)
        assert [(c.case_id, c.label) for c in cases] == [(f"{word}-0", 0), (f"{word}-1", 1)]


def test_spreadsheet_export_is_read(tmp_path: Path) -> None:
    """Byte order mark, CRLF, quoted commas, blank lines and spaces around cells."""
    lines = ["Path,Label, Split ,case_id,patient_id,site"]
    lines += [
        f'{path},{word} ,{split},c{n},p{n},"Ward 3, Köln"'
        for n, ((path, _, split), word) in enumerate(
            zip(ROWS, ["Normal", "PNEUMONIA"] * 3, strict=True)
        )
    ]
    source = open_manifest(
        write_manifest(tmp_path, "\ufeff" + "\r\n".join(lines) + "\r\n\r\n"), "x"
    )
    case = read_cases(source, "test")[1]
    assert (case.case_id, case.patient_id, case.label) == ("c5", "p5", 1)
    assert case.attributes == {"site": "Ward 3, Köln"}


def test_line_numbers_count_the_lines_inside_quotes(tmp_path: Path) -> None:
    text = 'path,label,note\ntrain-0.png,0,"two\nlines"\ntrain-1.png,7,x\n'
    with refused(SourceError, "manifest.csv:4: ", "'7'"):
        open_manifest(write_manifest(tmp_path, text), "x")


def test_without_split_column_patients_stay_together(tmp_path: Path) -> None:
    lines = ["path,label,patient_id"]
    for number in range(120):
        write_picture(tmp_path / f"{number}.png", number)
        lines.append(f"{number}.png,{number // 3 % 2},p{number // 3}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    source = open_manifest(tmp_path, "x")
    patients = {split: {c.patient_id for c in read_cases(source, split)} for split in SPLITS}
    assert len(patients["train"] | patients["tune"] | patients["test"]) == 40
    assert sum(map(len, patients.values())) == 40
    assert len(patients["train"]) > len(patients["tune"])


def test_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    root = plain_manifest(tmp_path)
    (root / "test-0.png").rename(root / "elsewhere.png")
    (root / "test-0.png").symlink_to("elsewhere.png")
    assert len(read_cases(open_manifest(root, "x"), "test")) == 2


def test_fingerprint_follows_the_manifest_and_the_images(tmp_path: Path) -> None:
    source = open_manifest(plain_manifest(tmp_path), "x")
    seen = {source.fingerprint()}
    write_picture(tmp_path / "test-0.png", 77)
    seen.add(source.fingerprint())
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",val", ",tune"))
    seen.add(source.fingerprint())
    assert len(seen) == 3


def test_columns_are_read_as_the_configuration_names_them(tmp_path: Path) -> None:
    lines = ["file,dx,SubjectID,fold,device,set"]
    for number in range(60):
        write_picture(tmp_path / f"{number}.png", number)
        word = ("gesund", "krank", "unklar")[number % 3]
        lines.append(f"{number}.png,{word},s{number // 4},{number % 5},A,{number % 2}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    reading = Reading(
        labels=(("gesund", 0), ("krank", 1), ("unklar", None)),
        columns=(("path", "file"), ("label", "dx"), ("patient", "SubjectID")),
        ignore=("fold",),
        attributes=("set",),
    )
    source = open_manifest(tmp_path, "x", reading)
    cases = [case for split in SPLITS for case in read_cases(source, split)]
    assert len(cases) == 40 and {case.patient_id for case in cases} == {f"s{n}" for n in range(15)}
    assert all(case.label == int(case.case_id) % 3 for case in cases)
    assert {frozenset(case.attributes) for case in cases} == {frozenset({"device", "set"})}
    assert any("SubjectID" in line and "fold" in line for line in source.read_as.lines)


@pytest.mark.parametrize("column", ["mrn", "StudyID", "fold", "is_train", "dx", "y"])
def test_a_column_that_means_something_is_refused_until_it_is_named(
    tmp_path: Path, column: str
) -> None:
    root = plain_manifest(tmp_path)
    text = (root / "manifest.csv").read_text().splitlines()
    extra = [f"{line},{column if n == 0 else n}" for n, line in enumerate(text)]
    (root / "manifest.csv").write_text("\n".join(extra))
    with refused(SourceError, "manifest.csv:1: ", f"'{column}'", "ignore"):
        open_manifest(root, "x")
    assert open_manifest(root, "x", Reading(ignore=(column,))).shards("test")


@pytest.mark.parametrize("word", ["-1", "uncertain", "no pneumonia?"])
def test_an_unsure_label_is_offered_no_other(tmp_path: Path, word: str) -> None:
    text = f"path,label\ntrain-0.png,0\ntrain-1.png,{word}\nval-0.png,1\n"
    with refused(SourceError, "manifest.csv:3: ", f"'{word}'", "data.labels") as caught:
        open_manifest(write_manifest(tmp_path, text), "x")
    assert "did you mean" not in str(caught.value)


def test_tune_is_carved_from_what_a_manifest_trains_and_tunes_on(tmp_path: Path) -> None:
    lines = ["path,label,patient_id,split"]
    for number in range(200):
        write_picture(tmp_path / f"{number}.png", number)
        split = ("test", "val", *(["train"] * 8))[number // 2 % 10]
        lines.append(f"{number}.png,{number % 2},p{number // 2},{split}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    source = open_manifest(tmp_path, "x", Reading(tune_from_train=0.4))
    count = {split: len(read_cases(source, split)) for split in SPLITS}
    assert count["test"] == 20 and count["train"] + count["tune"] == 180 and count["tune"] > 40
