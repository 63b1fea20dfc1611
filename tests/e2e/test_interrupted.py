"""Runs that are killed, and runs that meet in one workspace, as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.decision import Verdict
from tests.e2e.conftest import Released
from tests.e2e.making import SETTINGS, released_sha256, watched_run

pytestmark = pytest.mark.tensorflow

PATIENCE_S = 240


def command(data: Path, workspace: Path, *settings: str) -> list[str]:
    flags = [flag for setting in (*SETTINGS, *settings) for flag in ("--set", setting)]
    casegate = Path(sys.executable).with_name("casegate")
    return [str(casegate), "run", "--data", str(data), "--workspace", str(workspace), *flags]


def wait_for(path: Path, text: str, process: subprocess.Popen) -> None:
    """Until `text` stands in the file at `path`."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if path.exists() and text in path.read_text():
            return
        assert process.poll() is None, path.read_text()
        time.sleep(0.1)
    raise AssertionError(f"{text!r} never came:\n{path.read_text()}")


def test_run_killed_in_mid_training_leaves_the_release_and_the_next_run_is_right(
    released: Released, tmp_path: Path
) -> None:
    before = released_sha256(released.workspace)
    output = tmp_path / "output.txt"
    # Another seed, so that training is not served from the cache; many epochs, so that it lasts.
    settings = ("model.seed=99", "model.epochs=400", "model.patience=400")
    with output.open("w") as stream:
        process = subprocess.Popen(
            command(released.data.folder, released.workspace, *settings),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_for(output, "Transform", process)
        time.sleep(6)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    assert "RegressionGate" not in output.read_text()
    assert released_sha256(released.workspace) == before
    served = released.workspace / "serving"
    assert [path.name for path in served.iterdir()] == ["pneumonia"]
    assert running_executions(released.workspace) == 1

    outcome = watched_run(released.data.config("model.seed=99"), released.workspace).outcome
    assert outcome.decision.verdict is Verdict.PASS
    assert outcome.release is not None
    assert outcome.release.sha256 == outcome.decision.hashes["candidate"] != before
    assert running_executions(released.workspace) == 0


def running_executions(workspace: Path) -> int:
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(workspace / "metadata.sqlite")
    executions = metadata_store.MetadataStore(config).get_executions()
    return sum(run.last_known_state == mlmd.Execution.RUNNING for run in executions)


def test_second_run_in_a_busy_workspace_is_refused_and_the_first_one_finishes(
    released: Released, tmp_path: Path
) -> None:
    output = tmp_path / "output.txt"
    run = command(released.data.folder, released.workspace, "model.seed=7")
    with output.open("w") as stream:
        first = subprocess.Popen(run, stdout=stream, stderr=subprocess.STDOUT)
        wait_for(output, "inputs", first)
        second = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE_S)
        assert second.returncode == 2
        (line,) = second.stderr.strip().splitlines()
        assert f"in use by process {first.pid}" in line
        assert second.stdout == ""
        assert first.wait(PATIENCE_S) in (0, 1, 3)
    assert "TrainingCases" in output.read_text()


def test_json_outcome_is_the_only_thing_on_standard_output(released: Released) -> None:
    run = [*command(released.data.folder, released.workspace), "--format", "json"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0
    outcome = json.loads(done.stdout)
    assert outcome["verdict"] == "PASS"
    assert outcome["already_released"] is True
    assert outcome["decision"]["checks"]
    assert Path(outcome["release"]).is_dir()
