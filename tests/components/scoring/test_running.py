"""A model that stays loaded, asked from several threads, and what a dead one owes."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from components.records.errors import Unservable
from components.scoring import served
from components.scoring.running import ModelDied, RunningModel
from components.scoring.served import ServedRequest
from tests.components.scoring import pretending
from tests.refusing import refused


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "PROGRAM", Path(pretending.__file__))


@pytest.fixture
def model(tmp_path: Path) -> Iterator[RunningModel]:
    model = RunningModel(tmp_path)
    yield model
    model.close()


def images(*contents: bytes) -> ServedRequest:
    return ServedRequest("serving_default", contents)


def test_each_thread_gets_its_own_answer(model: RunningModel) -> None:
    def ask(size: int) -> list[float]:
        return model.ask(images(b"." * size, b".")).result(10).probability.tolist()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(2, 202)))
    assert found == [pytest.approx([size / 1000, 0.001]) for size in range(2, 202)]


def test_what_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with refused(Unservable, "cannot be loaded"):
        RunningModel(tmp_path)


def test_it_counts_as_loaded_only_when_it_answered(tmp_path: Path) -> None:
    with refused(Unservable, "no picture"):
        RunningModel(tmp_path, warm_with=[images(b"unread")])
    with refused(ModelDied, "SIGABRT: Check failed: rank"):
        RunningModel(tmp_path, warm_with=[images(b"abort")])


def test_a_request_that_is_refused_leaves_it_running(model: RunningModel) -> None:
    refused_one, other = model.ask(images(b"unread")), model.ask(images(b"." * 300))
    with refused(Unservable, "no picture") as caught:
        refused_one.result(10)
    assert not isinstance(caught.value, ModelDied)
    assert other.result(10).label.tolist() == [1] and not model.fault


@pytest.mark.parametrize("poison, how", [(b"abort", "SIGABRT"), (b"silent", "SIGKILL")])
def test_who_waits_for_a_dead_one_is_told(tmp_path: Path, poison: bytes, how: str) -> None:
    told: Queue[str] = Queue()
    model = RunningModel(tmp_path, ended=told.put)
    waiting = [model.ask(images(content)) for content in (poison, b".", b".")]
    for answer in waiting:
        with refused(ModelDied, how):
            answer.result(10)
    assert how in told.get(timeout=10) and how in model.fault
    with refused(ModelDied, how):
        model.ask(images(b".")).result(10)
    model.close()
    assert told.empty()


def test_a_closed_one_answers_what_it_was_asked_before(tmp_path: Path) -> None:
    told: Queue[str] = Queue()
    model = RunningModel(tmp_path, ended=told.put)
    waiting = [model.ask(images(b"slow"))] + [model.ask(images(b".")) for _ in range(50)]
    model.close()
    assert all(answer.result(0).label.size == 1 for answer in waiting)
    with refused(ModelDied, "exit code 0"):
        model.ask(images(b".")).result(10)
    assert told.empty()
    with pytest.raises(ProcessLookupError):
        os.kill(model.pid, 0)


def test_one_that_does_not_end_is_ended(tmp_path: Path) -> None:
    model = RunningModel(tmp_path)
    os.kill(model.pid, signal.SIGSTOP)
    waiting = model.ask(images(b"."))
    model.close(timeout_s=0.1)
    with refused(ModelDied, "SIGKILL"):
        waiting.result(0)


def test_an_answer_that_nobody_waits_for_is_passed_over(model: RunningModel) -> None:
    slow, given_up, other = (model.ask(images(c)) for c in (b"slow", b"..", b"..."))
    given_up.cancel()
    assert other.result(10).probability.tolist() == [pytest.approx(0.003)]
    assert slow.done() and given_up.cancelled()
