from pathlib import Path

import pytest

from components.cases.draw import Drawn, draw
from components.cases.sources import open_source
from components.cases.spans import resolve_spans
from components.records.case import Case
from components.records.errors import SourceError
from tests.components.cases.making import read_cases, write_class_folders, write_npz
from tests.refusing import refused


def drawn_and_read_back(spec: str, folder: Path) -> tuple[dict[str, Case], dict[str, Case]]:
    source = open_source(spec)
    draw(source, folder / "span-0001")
    spans = resolve_spans(f"{folder}/span-{{SPAN:4}}", window="expanding", window_spans=1)
    back = open_source(spans.spec)
    one, other = (
        {case.case_id: case for split in ("train", "tune") for case in read_cases(opened, split)}
        for opened in (source, back)
    )
    return one, other


@pytest.mark.parametrize(
    "spec", ["phantom:n=60,season=winter,seed=3", "phantom:fault=Aster,n=60,vendor=0.5"]
)
def test_what_is_read_back_is_what_was_drawn(tmp_path: Path, spec: str) -> None:
    drawn, back = drawn_and_read_back(spec, tmp_path)
    assert len(drawn) == 60 and drawn.keys() == back.keys()
    for case_id, case in drawn.items():
        again = back[case_id]
        assert (again.image, again.label) == (case.image, case.label)
        assert again.patient_id == case.patient_id
        assert again.attributes == {"span": "span-0001", **case.attributes}


def test_spans_of_two_seeds_share_neither_cases_nor_patients(tmp_path: Path) -> None:
    one, _ = drawn_and_read_back("phantom:n=60,seed=1", tmp_path / "a")
    other, _ = drawn_and_read_back("phantom:n=60,seed=2", tmp_path / "b")
    assert not one.keys() & other.keys()
    assert not {c.patient_id for c in one.values()} & {c.patient_id for c in other.values()}


def test_other_sources_are_drawn_with_their_encoding(tmp_path: Path) -> None:
    folders = write_class_folders(tmp_path / "chest")
    source = open_source(str(folders))
    found = draw(source, tmp_path / "out" / "span-0001")
    assert found == Drawn(cases=120, positives=60, patients=60)
    assert len(list((tmp_path / "out/span-0001/images").glob("*.jpg"))) == 120
    assert draw(open_source(str(write_npz(tmp_path / "a.npz"))), tmp_path / "npz").cases == 40


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "span-0001").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for name in ("span-0001", "gone"):
        with refused(SourceError, f"{name}: "):
            draw(open_source("phantom:n=20"), tmp_path / name)
    assert not list((tmp_path / "span-0001").iterdir())


def test_the_folder_is_there_only_when_it_is_complete(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    told: list[tuple[int, int]] = []

    def look(done: int, of: int) -> None:
        told.append((done, of))
        seen.append([path.name for path in tmp_path.iterdir()])

    draw(open_source("phantom:n=20"), tmp_path / "span-0001", progress=look)
    assert all(names[0].startswith(".span-0001.") and len(names) == 1 for names in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["span-0001"]
    assert told[0] == (1, 20) and told[-1] == (20, 20)


def test_an_unusable_case_leaves_nothing_behind(tmp_path: Path) -> None:
    folders = write_class_folders(tmp_path / "chest")
    (folders / "train/NORMAL/IM-0001-0000.jpeg").write_bytes(b"no image")
    with refused(SourceError, "IM-0001-0000.jpeg: ", "nothing was written"):
        draw(open_source(str(folders)), tmp_path / "out" / "span-0001")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(SourceError, tmp_path / "file", "Not a directory"):
        draw(open_source("phantom:n=20"), tmp_path / "file" / "span-0001")
