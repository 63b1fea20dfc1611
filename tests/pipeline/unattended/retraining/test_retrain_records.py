"""What a retraining does to the workspace around a run: its record, and what is pruned."""

import os
import signal
import threading
from pathlib import Path

import pytest

from components.lineage.record import Why, load_record
from components.records.errors import ConfigError
from components.records.ledger.ledger import Ledger
from components.records.problems import json_line
from pipeline.run.recorder import Recorder
from pipeline.settings.config import Config
from pipeline.unattended.retention import prune as retention
from tests.pipeline.unattended.retraining.making import Unattended, wait_until

pytestmark = pytest.mark.process

RUN = "20260101T000000.000000Z"
REFUSED = json_line(ConfigError("no"))


def begun(unattended: Unattended) -> str:
    """The folder of a run that has just begun, for a child to take for its own."""
    workspace = unattended.workspace
    with workspace.opened():
        Recorder(Config(), workspace, RUN, Why("schedule", "weekly"))
    return str(workspace.run_folder(RUN).rename(unattended.root / RUN))


def recorded(unattended: Unattended) -> tuple[str, list[str]]:
    """The state in the run's record, and the ledger's word on it."""
    record = load_record(unattended.workspace.run_folder(RUN) / "run.json")
    entries = Ledger(unattended.workspace.ledger).entries()
    return record.state, [e.body["state"] for e in entries if e.kind == "run"]


@pytest.mark.store
def test_the_record_of_a_child_that_died_is_closed(unattended: Unattended) -> None:
    unattended.steps([["adopt", begun(unattended)], ["die", "SIGKILL"]])
    retrained = unattended.retrain("retraining.retries=0", why="weekly")
    assert (retrained.state, retrained.attempt.run_id) == ("failed", RUN)
    assert recorded(unattended) == ("killed", ["killed"])


@pytest.mark.store
def test_the_record_of_a_child_that_was_told_to_end_is_closed(unattended: Unattended) -> None:
    unattended.steps([["adopt", begun(unattended)], ["hang", 40]])

    def stop() -> None:
        wait_until((unattended.workspace.run_folder(RUN)).exists)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    with pytest.raises(KeyboardInterrupt):
        unattended.retrain(why="weekly")
    assert recorded(unattended) == ("killed", ["killed"])
    assert (unattended.lines[0]["state"], unattended.lines[0]["run_id"]) == ("interrupted", RUN)


def test_a_run_of_somebody_else_is_not_taken_for_its_own(unattended: Unattended) -> None:
    unattended.steps([["adopt", begun(unattended)], ["say", REFUSED], ["leave", 2]])
    assert unattended.retrain(why="another reason").attempt.run_id is None


def test_a_refused_run_is_named(unattended: Unattended) -> None:
    unattended.steps([["adopt", begun(unattended)], ["say", REFUSED], ["leave", 2]])
    assert unattended.retrain(why="weekly").attempt.run_id == RUN
    assert f"Run: {RUN}" in unattended.told[0]["lines"]


def test_the_policy_of_retention_is_applied_after_a_run_that_decided(
    unattended: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def prune(config: object, workspace: object) -> retention.Pruned:
        asked.append(workspace.root)
        return retention.Pruned((), {}, (), False)

    monkeypatch.setattr(retention, "prune", prune)
    unattended.steps([["say", REFUSED], ["leave", 2]], [unattended.outcome("FAIL")])
    assert unattended.retrain().pruned is None
    assert asked == []
    assert unattended.retrain().pruned is not None
    assert asked == [unattended.workspace.root]


def test_pruning_that_fails_is_said_and_changes_no_exit_code(
    unattended: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prune(config: object, workspace: object) -> None:
        raise ValueError("no\nsuch thing")

    monkeypatch.setattr(retention, "prune", prune)
    unattended.steps([unattended.outcome("INCONCLUSIVE")])
    assert unattended.retrain().exit_code == 3
    assert "nothing could be pruned: ValueError: no such thing" in unattended.said
