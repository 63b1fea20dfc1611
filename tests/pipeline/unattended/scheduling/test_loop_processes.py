"""Schedulers as processes: several at once, and one that is told to end in the middle of a run."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.settings.workspace import Workspace
from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.loop import Loop, Slots
from tests.pipeline.unattended.scheduling.making import at

pytestmark = pytest.mark.process

# A scheduler whose retrainings sleep, until they are told to end.
SCHEDULER = """
import sys
from pathlib import Path
from pipeline.unattended.retraining.retrain import retrain
from pipeline.unattended.retraining.retrain import terminated_as_interrupted
from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.loop import Loop
from pipeline.unattended.scheduling.loop import Slots
from pipeline.settings.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))

def run(slot):
    program = ["/bin/sh", "-c", "echo $$ > " + sys.argv[1] + "/child; exec sleep 60"]
    settings = ["retraining.free_disk_gib=0"]
    return retrain(None, settings, workspace, trigger="schedule", program=program).exit_code

loop = Loop(Slots(workspace, Cron.parse("* * * * *")), run, lambda line: print(line, flush=True))
with terminated_as_interrupted():
    sys.exit(loop.forever())
"""


def look(folder: Path, start: float) -> None:
    def run(slot: datetime) -> int:
        with (folder / "ran").open("a") as file:
            file.write(f"{slot:%H:%M}\n")
        time.sleep(0.2)
        return 0

    time.sleep(max(0.0, start - time.time()))
    slots = Slots(Workspace(folder), Cron.parse("0 3 * * 1"))
    Loop(slots, run, lambda line: None, lambda: at("2026-11-30 03:00")).once()


def test_of_many_schedulers_at_once_one_runs_a_slot(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = time.time() + 0.3
    schedulers = [context.Process(target=look, args=(tmp_path, start)) for _ in range(8)]
    for scheduler in schedulers:
        scheduler.start()
    for scheduler in schedulers:
        scheduler.join()
    assert [scheduler.exitcode for scheduler in schedulers] == [0] * 8
    assert (tmp_path / "ran").read_text() == "03:00\n"


def eventually(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_sigterm_ends_the_run_and_leaves_its_slot_due(tmp_path: Path) -> None:
    scheduler = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    child = tmp_path / "child"
    eventually(lambda: child.exists() and child.read_text().endswith("\n"))
    scheduler.send_signal(signal.SIGTERM)
    said, _ = scheduler.communicate(timeout=20)
    assert scheduler.returncode == 130
    assert "interrupted" in said
    assert not lives(int(child.read_text()))
    state = Slots(Workspace(tmp_path), Cron.parse("* * * * *")).state()
    assert state is not None
    assert state.tries == 1
    assert '"state":"interrupted"' in (tmp_path / "retraining" / "attempts.jsonl").read_text()


def test_sigterm_while_it_waits_ends_it_at_once(tmp_path: Path) -> None:
    script = SCHEDULER.replace('"* * * * *"', '"0 0 29 2 *"')
    script = script.replace("with terminated", "print('waiting', flush=True)\nwith terminated")
    scheduler = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    eventually(lambda: (tmp_path / "schedule" / "state.json").exists())
    scheduler.send_signal(signal.SIGTERM)
    assert scheduler.wait(timeout=20) == 0
