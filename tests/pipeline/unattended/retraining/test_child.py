"""Real children: bounded, heard, and gone with all they started."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import SourceError
from components.records.problems import json_line
from pipeline.unattended.retraining.child import HIDDEN, Ended, supervise
from tests.pipeline.unattended.retraining.making import FAKE, alive, wait_until

pytestmark = pytest.mark.process


class Child:
    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "child.log"
        self.heard: list[str] = []

    def run(self, *steps: list[object], seconds: float = 30, **given: Any) -> Ended:
        (self.root / "steps.json").write_text(json.dumps([steps]))
        memory = given.pop("memory_gib", None)
        given.setdefault("say", self.heard.append)
        return supervise(
            [sys.executable, "-S", str(FAKE), str(self.root / "steps.json")]
            + ["--workspace", str(self.root)],
            seconds=seconds,
            memory_gib=memory,
            environment=os.environ,
            log=self.log,
            **given,
        )

    def grandchild(self) -> int:
        path = self.root / "grandchild.txt"
        wait_until(lambda: path.exists() and path.read_text() != "")
        return int(path.read_text())

    def pid(self) -> int:
        return int((self.root / "children.txt").read_text())


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(tmp_path)


def test_its_code_output_and_last_words_are_read_to_the_end(child: Child) -> None:
    lines = [["say", f"line {i}"] for i in range(2000)]
    ended = child.run(*lines, ["leave", 3])
    assert (ended.exit_code, ended.signal, ended.stopped) == (3, None, None)
    assert ended.last_words == "line 1999"
    assert child.heard == [f"line {i}" for i in range(2000)]
    assert child.log.read_text().splitlines() == child.heard


def test_much_on_standard_output_neither_blocks_nor_is_cut(child: Child, tmp_path: Path) -> None:
    (tmp_path / "told.json").write_text(json.dumps({"exit_code": 0, "x": "y" * 3_000_000}))
    ended = child.run(["outcome", str(tmp_path / "told.json")])
    assert len(json.loads(ended.stdout)["x"]) == 3_000_000


def test_what_it_wrote_last_is_read_after_its_end(child: Child, tmp_path: Path) -> None:
    (tmp_path / "told.json").write_text(json.dumps({"exit_code": 0, "x": "y" * 700_000}))
    ended = child.run(
        ["widen"],
        ["say", "wait"],
        ["outcome", str(tmp_path / "told.json")],
        say=lambda line: time.sleep(2),
    )
    assert len(json.loads(ended.stdout)["x"]) == 700_000


def test_a_signal_is_told_from_a_code(child: Child) -> None:
    ended = child.run(["die", "SIGSEGV"])
    assert (ended.exit_code, ended.signal, ended.stopped) == (None, signal.SIGSEGV, None)


def test_what_takes_too_long_is_ended_with_all_it_started(child: Child) -> None:
    ended = child.run(["found_family"], ["hang", 40], seconds=1)
    assert ended.stopped == "took longer than 1 seconds"
    wait_until(lambda: not alive(child.grandchild()))


def test_what_does_not_listen_is_killed_after_the_grace(child: Child) -> None:
    ended = child.run(["ignore_sigterm"], ["hang", 40], seconds=0.5, grace_s=0.5)
    assert ended.signal == signal.SIGKILL


def test_what_never_stops_talking_is_ended_in_time(child: Child) -> None:
    ended = child.run(["flood"], seconds=1, say=lambda line: None)
    assert ended.stopped is not None and "1 seconds" in ended.stopped


def test_what_needs_too_much_memory_is_ended(child: Child) -> None:
    ended = child.run(["hold", 300], memory_gib=0.2)
    assert ended.stopped == "needed more than 0.2 GiB of memory"
    assert child.run(["hang", 1.2], memory_gib=0.2).stopped is None


def test_a_child_that_ends_takes_what_it_started_along(child: Child) -> None:
    assert child.run(["found_family"], ["leave", 0]).exit_code == 0
    wait_until(lambda: not alive(child.grandchild()))


def test_an_interrupted_supervisor_leaves_no_child(child: Child) -> None:
    def interrupt() -> None:
        child.grandchild()
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            child.run(["found_family"], ["hang", 40])
    finally:
        signal.signal(signal.SIGINT, before)
    assert not alive(child.pid())
    wait_until(lambda: not alive(child.grandchild()))


def test_what_it_says_cannot_move_the_cursor_or_give_away_a_secret(child: Child) -> None:
    child.run(["say", "\x1b[2Jat hunter2\tand \x07on"], ["leave", 0], secrets=["hunter2"])
    assert child.heard == [f" [2Jat {HIDDEN} and  on"]


def test_an_error_is_an_object_that_later_noise_does_not_hide(child: Child) -> None:
    error = json_line(SourceError("chest: no such folder"))
    ended = child.run(["say", error], ["say", "Exception ignored in: x"], ["leave", 2])
    assert ended.error is not None and ended.error.line.endswith("chest: no such folder [CG2004]")
    assert child.heard == ["Exception ignored in: x"]
    assert error in child.log.read_text()


# Python 3.13 prints what a file says that is dropped before it is closed.
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_log_on_a_full_disk_does_not_end_it(child: Child) -> None:
    child.log = Path("/dev/full")
    ended = child.run(["say", "one"], ["say", "two"], ["leave", 0])
    assert (ended.exit_code, child.heard) == (0, ["one", "two"])
