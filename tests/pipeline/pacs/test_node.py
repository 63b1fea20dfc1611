"""A report of each picture, once, whatever happens on the way."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from components.dicom.report import write_report
from components.dicom.result import picture_uid, report_uid
from components.records import clock
from pipeline.pacs import node
from pipeline.pacs.node import PacsNode
from tests.pipeline.pacs.making import FIRST, SECOND, Bench, MemoryArchive, chest, release

ONE = chest(1)


class Killed(BaseException):
    """As if the process were gone at this point."""


def taken(root: Path, *datasets: Dataset, **given: Any) -> Bench:
    made = Bench(root, MemoryArchive(*datasets), **given)
    assert made.node.watch() == len(datasets)
    return made


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Pushes the clock on by so many seconds."""
    time = [datetime(2026, 3, 1, 8, tzinfo=timezone.utc)]
    monkeypatch.setattr(clock, "system_time", lambda: time[0])

    def push(seconds: float) -> None:
        time[0] += timedelta(seconds=seconds)

    return push


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports and pictures of nothing but their ids, which are made at once."""

    def make(modality: str, uid: Callable[[str, str], str]) -> Callable[..., Dataset]:
        def made(source: Dataset, *given: Any) -> Dataset:
            found = Dataset()
            found.SOPInstanceUID = uid(str(source.SOPInstanceUID), given[-1].sha256)
            found.StudyInstanceUID, found.SeriesInstanceUID = source.StudyInstanceUID, "1.2.9"
            found.Modality = modality
            return found

        return made

    monkeypatch.setattr(node, "write_report", make("SR", report_uid))
    monkeypatch.setattr(node, "write_picture", make("OT", picture_uid))


def test_a_picture_gets_one_report_and_one_picture_and_nothing_of_it_is_kept(
    tmp_path: Path,
) -> None:
    made = taken(tmp_path, ONE)
    assert made.node.work() and not made.node.work()
    assert made.sent(ONE) == (1, 1)
    assert (made.state(ONE), made.spooled()) == ("sent", [])
    (line,) = made.predictions
    assert (line["score"], line["positive"], line["model_version"]) == (0.75, True, 1)
    assert made.node.watch() == 0  # neither the picture nor what was made of it again


def test_what_comes_again_is_not_reported_again(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE)
    made.node.work()
    made.intake.take(made.archive.instance(("", "", ONE.SOPInstanceUID)))
    assert made.state(ONE) == "waiting"
    assert made.node.work()
    assert (made.sent(ONE), made.judge.asked, made.state(ONE)) == ((1, 1), 1, "sent")


def test_a_study_is_complete_when_nothing_new_came_for_a_while(
    tmp_path: Path, now: Callable[[float], None]
) -> None:
    first = chest(1, StudyInstanceUID="1.2.3")
    made = taken(tmp_path, first, queue={"quiet_seconds": 30.0})
    now(20)
    second = chest(2, StudyInstanceUID="1.2.3")
    made.archive.objects[second.SOPInstanceUID] = second
    assert made.node.watch() == 1
    now(20)
    assert not made.node.work()
    now(10)
    assert made.node.work() and made.node.work()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"Modality": "CT"}, "modality CT"),
        ({"BodyPartExamined": "HAND"}, "body part HAND"),
        ({"ViewPosition": "LL"}, "view LL"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "another presentation intent"),
        ({"BurnedInAnnotation": "YES"}, "names may be burned into it"),
        ({"ViewPosition": "ROSSI"}, "view of another kind"),
    ],
)
def test_a_picture_that_the_model_is_not_for_is_never_scored(
    tmp_path: Path, changed: dict[str, str], why: str
) -> None:
    made, other = Bench(tmp_path), chest(1, **changed)
    made.archive.objects[other.SOPInstanceUID] = other
    made.intake.take(made.archive.instance(("", "", other.SOPInstanceUID)))
    assert not made.node.work()
    assert (made.judge.asked, made.state(other), made.spooled()) == (0, "left out", [])
    assert made.lines[-1].endswith(f"not for this model: {why}")


def test_without_a_release_pictures_wait_and_none_is_lost(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE)
    made.judge.serving = None
    assert not made.node.work()
    assert made.state(ONE) == "waiting"
    made.judge.serving = release(2, SECOND)
    assert made.node.work()
    assert made.sent(ONE, SECOND) == (1, 1)


def test_a_release_that_is_rolled_back_while_it_is_asked_sends_nothing(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE, queue={"quiet_seconds": 0.0, "pause_seconds": 0.0})
    ask = made.judge.ask

    def and_roll_back(*given: Any) -> Any:
        made.judge.serving = release(2, SECOND)
        return ask(*given)

    made.judge.ask = and_roll_back
    assert made.node.work()
    assert made.sent(ONE) == (0, 0)
    assert made.node.work()
    assert (made.sent(ONE), made.sent(ONE, SECOND)) == ((0, 0), (1, 1))


def test_an_archive_that_is_down_for_ten_minutes_delays_and_loses_nothing(
    tmp_path: Path, now: Callable[[float], None]
) -> None:
    made = taken(tmp_path, ONE, queue={"quiet_seconds": 0.0, "attempts": 3})
    made.archive.down = True
    tries = 0
    for _ in range(600):
        tries += made.node.work()
        now(1)
    assert 3 < tries < 12  # with growing pauses, and given up never
    made.archive.down = False
    now(600)
    assert made.node.work()
    assert (made.sent(ONE), made.state(ONE), len(made.predictions)) == ((1, 1), "sent", 1)


def test_what_the_archive_did_not_keep_is_not_called_sent(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE, queue={"quiet_seconds": 0.0, "pause_seconds": 0.0, "attempts": 2})
    made.archive.forgetful = True
    assert made.node.work()
    assert made.state(ONE) == "waiting"
    assert made.node.work()
    assert (made.state(ONE), len(made.spooled())) == ("dead", 1)
    (dead,) = made.queue.items("dead")
    assert "did not keep 2 of 2" in dead.reason
    assert len(made.predictions) == 1
    made.archive.forgetful = False
    made.queue.revive(dead.key, "waiting")
    assert made.node.work()
    assert (made.sent(ONE), made.spooled()) == ((1, 1), [])


def test_a_study_that_was_deleted_meanwhile_gets_no_report(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE, queue={"quiet_seconds": 0.0, "pause_seconds": 0.0, "attempts": 2})
    made.archive.objects.clear()
    assert made.node.work() and made.node.work() and not made.node.work()
    assert (made.archive.objects, made.judge.asked, made.state(ONE)) == ({}, 0, "dead")


def test_a_picture_that_cannot_be_decoded_is_for_a_person_at_once(tmp_path: Path) -> None:
    broken = chest(1, PixelData=b"\0\0")
    made = taken(tmp_path, broken)
    assert made.node.work() and not made.node.work()
    (dead,) = made.queue.items("dead")
    assert dead.reason == "its pixels cannot be decoded"


POINTS = [
    "lease", "judge.ask", "predicted", "hold", "store", "stored one", "stored", "finish",
    "finished",
]  # fmt: skip


def plant(made: Bench, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends the node at a point, as kill -9 would: what it has not done it does not do."""

    def end(*given: Any, **more: Any) -> Any:
        raise Killed

    def and_end(do: Callable[..., Any]) -> Callable[..., Any]:
        def done(*given: Any, **more: Any) -> Any:
            do(*given, **more)
            raise Killed

        return done

    def one_and_end(datasets: list[Dataset]) -> None:
        made.archive.store(datasets[:1])
        raise Killed

    queue, intake = type(made.queue), type(made.intake)
    if point == "lease":
        monkeypatch.setattr(PacsNode, "_do", end)
    elif point == "judge.ask":
        made.judge.ask = end
    elif point == "predicted":
        object.__setattr__(made.node, "log", and_end(made.node.log))
    elif point == "hold":
        monkeypatch.setattr(queue, "hold", and_end(queue.hold))
    elif point in ("store", "stored one", "stored"):
        ends = {"store": end, "stored one": one_and_end, "stored": and_end(made.archive.store)}
        object.__setattr__(made.node, "store", ends[point])
    elif point == "finish":
        monkeypatch.setattr(queue, "finish", end)
    elif point == "finished":
        monkeypatch.setattr(intake, "forget", end)


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("rolled_back", [False, True], ids=["same release", "other release"])
@pytest.mark.parametrize("point", POINTS)
def test_a_node_that_dies_at_any_point_loses_no_study_and_doubles_no_report(
    tmp_path: Path, now: Callable[[float], None], point: str, rolled_back: bool
) -> None:
    made = taken(tmp_path, ONE)
    with pytest.MonkeyPatch.context() as patch:
        plant(made, point, patch)
        with pytest.raises(Killed):
            made.node.work()
    after = Bench(tmp_path, made.archive)
    after.judge.serving = release(2, SECOND) if rolled_back else release(1, FIRST)
    assert not after.node.work()  # the dead node's lease holds, or it was done
    now(3700)
    after.node.work()
    for left in after.spooled():
        os.utime(tmp_path / "pacs" / "spool" / left, (0, 0))
    after.intake.sweep()
    assert (after.state(ONE), after.spooled()) == ("sent", [])
    of_first, of_second = after.sent(ONE), after.sent(ONE, SECOND)
    reports = of_first[0] + of_second[0]
    assert reports == 1
    assert max(of_first + of_second) == 1
    if not rolled_back:
        assert of_first == (1, 1)


@pytest.mark.usefixtures("light")
def test_what_two_nodes_see_at_once_is_taken_once(tmp_path: Path) -> None:
    first = Bench(tmp_path, MemoryArchive(ONE))
    second = Bench(tmp_path, first.archive)
    give = first.archive.instance

    def meanwhile(uids: tuple[str, ...]) -> bytes:
        first.archive.instance = give
        assert second.node.watch() == 1 and second.node.work()
        return give(uids)

    first.archive.instance = meanwhile
    first.node.watch()
    assert (first.state(ONE), first.spooled()) == ("sent", [])
    assert not first.node.work() and not second.node.work()


@pytest.mark.usefixtures("light")
def test_two_nodes_on_one_queue_share_the_work_and_double_nothing(tmp_path: Path) -> None:
    pictures = [chest(number) for number in range(6)]
    first = taken(tmp_path, *pictures)
    second = Bench(tmp_path, first.archive)
    assert second.node.watch() == 0
    held = first.queue.lease()
    while second.node.work():
        pass
    assert second.queue.counts() == {"sent": 5, "waiting": 1}
    assert held is not None and first.queue.finish(held, "sent")
    assert [sum(first.sent(one)) for one in pictures].count(2) == 5


def test_a_node_that_lost_its_lease_does_not_send(
    tmp_path: Path, now: Callable[[float], None]
) -> None:
    made = taken(tmp_path, ONE)
    ask = made.judge.ask
    other = Bench(tmp_path, made.archive)

    def slowly(*given: Any) -> Any:
        now(1000)
        assert other.node.work()
        return ask(*given)

    made.judge.ask = slowly
    assert made.node.work()
    assert (made.sent(ONE), made.state(ONE)) == ((1, 1), "sent")


def verified(dataset: Dataset, name: str = "Bianchi^Anna", present: bool = True) -> Dataset:
    """Our report as a reader signs it, with an answer of their own."""
    from tests.pipeline.pacs.making import model_result

    report = write_report(dataset, model_result(probability=0.9 if present else 0.1))
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{present + 1}"
    report.VerificationFlag = "VERIFIED"
    observer = Dataset()
    observer.VerifyingObserverName = name
    report.VerifyingObserverSequence = [observer]
    return report


def predicted(made: Bench) -> None:
    """Writes what was predicted where feedback looks for it."""
    from components.drift.log import prediction_line

    folder = Path(made.config.workspace) / "predictions"
    folder.mkdir(exist_ok=True)
    lines = (prediction_line(one.pop("case_id"), **one) for one in made.predictions)
    (folder / "pacs.jsonl").write_bytes(b"".join(lines))


def test_what_a_reader_decides_is_feedback_on_the_served_case_once(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE, feedback=True)
    made.node.work()
    predicted(made)
    for answer in (verified(ONE), verified(ONE), verified(ONE, present=False)):
        made.archive.objects[str(answer.SOPInstanceUID)] = answer
        made.intake.take(made.archive.instance(("", "", answer.SOPInstanceUID)))
        assert made.node.work()
    opinions = made.node.record.opinions()
    assert [(one.label, one.by, one.source) for one in opinions] == [
        ("positive", "Bianchi Anna", "dicom"),
        ("negative", "Bianchi Anna", "dicom"),
    ]
    assert {one.case_id for one in opinions} == {made.intake.key(str(ONE.SOPInstanceUID))}


def test_an_answer_to_a_case_that_was_never_served_is_none(tmp_path: Path) -> None:
    made = Bench(tmp_path, feedback=True)
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "a.jsonl").write_bytes(b"")
    answer = verified(ONE)
    made.archive.objects[str(answer.SOPInstanceUID)] = answer
    made.node.watch()
    assert made.node.work()
    assert (made.state(answer), made.node.record.opinions()) == ("left out", ())


@pytest.mark.parametrize("feedback", [False, True])
def test_our_own_report_is_no_answer(tmp_path: Path, feedback: bool) -> None:
    made = taken(tmp_path, ONE, feedback=feedback)
    made.node.work()
    assert made.node.watch() == int(feedback)
    assert not made.node.work()
    assert np.all([one.kind == "picture" for one in made.queue.items("left out", "sent")])


def test_what_nobody_expected_names_nobody_and_keeps_no_other_waiting(tmp_path: Path) -> None:
    made = taken(tmp_path, ONE, chest(2), queue={"quiet_seconds": 0.0, "attempts": 1})
    ask = made.judge.ask
    made.judge.ask = lambda *given: 1 / 0 if made.judge.asked else ask(*given)
    assert made.node.work() and made.node.work()
    assert made.queue.counts() == {"sent": 1, "dead": 1}
    assert made.queue.items("dead")[0].reason == "ZeroDivisionError"


def test_an_instance_that_cannot_be_had_keeps_no_other_from_coming(tmp_path: Path) -> None:
    other = chest(2)
    made = Bench(tmp_path, MemoryArchive(ONE, other))
    give = made.archive.instance

    def damaged(uids: tuple[str, ...]) -> bytes:
        return b"no DICOM" if uids[-1] == ONE.SOPInstanceUID else give(uids)

    made.archive.instance = damaged
    assert made.node.watch() == 1
    assert made.state(other) == "waiting"
    assert any("not taken from the archive" in line for line in made.lines)
