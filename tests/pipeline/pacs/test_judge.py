"""The release that is asked: vouched for, of this pixel pipeline, and no longer than that."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import Unservable
from components.scoring import served
from components.scoring.running import RunningModel
from pipeline.pacs import judge as judging
from pipeline.pacs.judge import Judge, check_release
from pipeline.serving import vouched
from tests.components.scoring import pretending
from tests.pipeline.pacs.making import PNEUMONIA
from tests.pipeline.serving.making import Ward
from tests.refusing import refused


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    monkeypatch.setattr(served, "PROGRAM", Path(pretending.__file__))
    made = Ward(tmp_path)
    made.release(7)
    return made


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def judge(ward: Ward, lines: list[str]) -> Iterator[Judge]:
    made = Judge(ward.config(), ward.workspace, lines.append)
    yield made
    made.close()


def test_the_release_is_asked_with_its_operating_point(judge: Judge) -> None:
    release = judge.current()
    assert release is not None
    found = judge.ask(b"x" * 300, PNEUMONIA, release)
    assert (found.probability, found.positive) == (pytest.approx(0.3), True)
    assert (found.model, found.version, found.sha256) == ("pneumonia", 7, release.sha256)
    assert (found.operating_point, found.heat.shape) == (release.operating_point, (2, 3))
    assert judge.current() == release


def test_what_is_no_probability_is_no_answer(judge: Judge) -> None:
    release = judge.current()
    assert release is not None
    with pytest.raises(Unservable, match="no probability"):
        judge.ask(b"x" * 1500, PNEUMONIA, release)
    with pytest.raises(Unservable, match="cannot read it"):
        judge.ask(b"unread", PNEUMONIA, release)


def test_a_release_that_is_rolled_back_is_gone_at_the_next_look(
    ward: Ward, judge: Judge, lines: list[str]
) -> None:
    bad = ward.release(9)
    first = judge.current()
    assert first is not None and first.sha256 == bad
    new = ward.roll_back(to=7)
    found = judge.current()
    assert found is not None and (found.version, found.sha256 == bad) == (new, False)
    assert lines == ["asks pneumonia 9", f"asks pneumonia {new}"]


def test_without_a_release_none_is_asked_and_it_is_said_once(
    tmp_path: Path, lines: list[str]
) -> None:
    empty = Ward(tmp_path / "empty")
    judge = Judge(empty.config(), empty.workspace, lines.append)
    assert judge.current() is None and judge.current() is None
    assert len(lines) == 1 and "nothing is released" in lines[0]


def test_an_altered_release_is_not_asked(ward: Ward, judge: Judge) -> None:
    (ward.destination / "7" / "saved_model.pb").write_text("other weights")
    assert judge.current() is None


def test_a_release_that_is_altered_while_it_is_loaded_is_not_asked(
    ward: Ward, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def altered(folder: Path, **how: Any) -> RunningModel:
        made = RunningModel(folder, **how)
        (folder / "saved_model.pb").write_text("other weights")
        return made

    monkeypatch.setattr(vouched, "RunningModel", altered)
    assert judge.current() is None


def test_a_model_whose_process_died_is_loaded_again(judge: Judge) -> None:
    release = judge.current()
    assert release is not None
    with refused(Unservable):
        judge.ask(b"abort", PNEUMONIA, release)
    assert judge.current() is None  # pictures wait meanwhile
    judge._tried = -60.0
    assert judge.current() == release
    assert judge.ask(b"x" * 300, PNEUMONIA, release).positive


def test_a_model_that_does_not_answer_is_given_up_and_loaded_again(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "_ANSWER_S", 0.05)
    release = judge.current()
    assert release is not None
    with refused(Unservable, "no answer within 0.05 s"):
        judge.ask(b"slow", PNEUMONIA, release)
    judge._tried = -60.0
    assert judge.current() == release


def test_a_picture_that_the_model_cannot_read_has_no_answer(judge: Judge) -> None:
    release = judge.current()
    assert release is not None
    with refused(Unservable, "cannot read it"):
        judge.ask(b"unread", PNEUMONIA, release)


@pytest.mark.parametrize(("pipeline", "may"), [("dicom-v1", True), ("dicom-v0", False)])
def test_a_release_of_another_pixel_pipeline_is_refused(
    tmp_path: Path, pipeline: str, may: bool
) -> None:
    model = tmp_path / "model"
    (model / "assets.extra").mkdir(parents=True)
    (model / "saved_model.pb").write_text("weights")
    record = {"read_as": ["labels: a is positive (1)", f"DICOM, read by {pipeline}"]}
    (model / "assets.extra" / "release.json").write_text(json.dumps(record))
    ward = Ward(tmp_path / "ward")
    ward.release(3, model)
    if may:
        assert check_release(ward.config(), ward.workspace).version == 3
    else:
        with refused(Unservable, "dicom-v0", "dicom-v1"):
            check_release(ward.config(), ward.workspace)
