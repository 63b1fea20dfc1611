"""`kill -9` and SIGTERM of a retraining, as real processes."""

import json
import signal
import subprocess
import sys
import time

import pytest

from pipeline.settings.config import REPOSITORY
from tests.pipeline.unattended.retraining.making import Unattended, alive, wait_until

pytestmark = pytest.mark.process

# Kills itself where it is told to: before or after a call of this name.
RETRAIN = """
import os, signal, sys
from pathlib import Path
from pipeline.unattended.retraining import retrain
from pipeline.unattended.retraining.attempt import AttemptJournal
from tests.pipeline.unattended.retraining.making import Unattended

def dying(call, moment):
    def called(*arguments, **given):
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        call(*arguments, **given)
        os.kill(os.getpid(), signal.SIGKILL)
    return called

moment, _, name = sys.argv[2].partition(" ")
if name:
    place = AttemptJournal if hasattr(AttemptJournal, name) else retrain
    setattr(place, name, dying(getattr(place, name), moment))
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
unattended = Unattended(Path(sys.argv[1]))
sys.exit(unattended.retrain().exit_code)
"""


def started(unattended: Unattended, death: str = "") -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", RETRAIN, str(unattended.root), death],
        cwd=REPOSITORY,
        start_new_session=True,
    )


def test_a_killed_supervisor_takes_its_child_along_and_the_next_is_right(
    unattended: Unattended,
) -> None:
    unattended.steps([["hang", 40], ["release", 1]], [unattended.outcome("FAIL")])
    supervisor = started(unattended)
    wait_until(lambda: len(unattended.children) == 1)
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not alive(unattended.children[0]))

    assert unattended.retrain().state == "blocked"  # the lock went with the process
    assert [line["state"] for line in unattended.lines] == ["killed", "blocked"]
    assert [told["event"] for told in unattended.told] == ["failed", "blocked"]
    assert not (unattended.workspace.root / "serving").exists()


def test_a_child_that_ignores_sigterm_dies_with_its_supervisor(unattended: Unattended) -> None:
    unattended.steps([["ignore_sigterm"], ["hang", 40]])
    supervisor = started(unattended)
    wait_until(lambda: len(unattended.children) == 1)
    time.sleep(0.2)
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not alive(unattended.children[0]))


@pytest.mark.parametrize(
    "death, states",
    [
        ("before begin", ["released"]),
        ("after begin", ["killed", "released"]),
        ("before end", ["killed", "released"]),
        ("after end", ["released", "released"]),
        ("before tell", ["released", "released"]),
        ("after tell", ["released", "released"]),
        ("before close", ["released", "released"]),
        ("after close", ["released", "nothing_new"]),
        ("before apply_retention", ["released", "nothing_new"]),
    ],
)
def test_wherever_it_is_killed_a_person_is_told_of_the_release_once(
    unattended: Unattended, death: str, states: list[str]
) -> None:
    done = unattended.outcome("PASS", version=1, release="x")
    known = unattended.outcome("PASS", version=1, release="x", served_from_cache=True)
    unattended.steps([["release", 1], done], [known])
    assert started(unattended, death).wait(30) == -signal.SIGKILL
    unattended.retrain()
    assert [line["state"] for line in unattended.lines] == states
    assert unattended.retrain().state == "nothing_new"
    events = [told["event"] for told in unattended.told]
    assert events.count("released") == 1, events
    ids = [line["attempt_id"] for line in unattended.lines]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_told_to_end_leaves_a_closed_record(
    unattended: Unattended, number: signal.Signals
) -> None:
    unattended.steps([["found_family"], ["hang", 40]])
    supervisor = started(unattended)
    family = unattended.workspace.root / "grandchild.txt"
    wait_until(lambda: family.exists() and family.read_text() != "")
    supervisor.send_signal(number)
    assert supervisor.wait(20) != 0
    assert not alive(unattended.children[0])
    wait_until(lambda: not alive(int(family.read_text())))
    (line,) = unattended.lines
    assert (line["state"], line["exit_code"]) == ("interrupted", 130)
    assert [told["event"] for told in unattended.told] == ["failed"]
    state = json.loads((unattended.workspace.root / "retraining" / "state.json").read_text())
    assert state["running"] is None
