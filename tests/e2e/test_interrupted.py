"""Runs that are killed, and runs that meet in one workspace, as real processes."""

import json
import subprocess
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.decision import Verdict
from tests.e2e.conftest import Released
from tests.e2e.making import OTHER_SEED, released_sha256, watched_run
from tests.e2e.processes import PATIENCE_S, command, kill_while_training, wait_until

pytestmark = pytest.mark.tensorflow


def test_run_killed_in_mid_training_leaves_the_release_and_the_next_run_is_right(
    released: Released, tmp_path: Path
) -> None:
    before = released_sha256(released.workspace)
    output = tmp_path / "output.txt"
    kill_while_training(released.data.folder, released.workspace, output)

    assert "RegressionGate" not in output.read_text()
    assert released_sha256(released.workspace) == before
    served = released.workspace / "serving"
    assert [path.name for path in served.iterdir()] == ["pneumonia"]
    assert running_executions(released.workspace) == 1

    outcome = watched_run(released.data.config(OTHER_SEED), released.workspace).outcome
    assert outcome.decision.verdict is Verdict.PASS
    assert outcome.release is not None
    assert outcome.release.sha256 == outcome.decision.hashes["candidate"] != before
    assert running_executions(released.workspace) == 0


def running_executions(workspace: Path) -> int:
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(workspace / "metadata.sqlite")
    executions = metadata_store.MetadataStore(config).get_executions()
    return sum(run.last_known_state == mlmd.Execution.RUNNING for run in executions)


@pytest.mark.slow  # tests of the workspace show that its lock refuses a second process
def test_second_run_in_a_busy_workspace_is_refused_and_the_first_one_finishes(
    released: Released, tmp_path: Path
) -> None:
    output = tmp_path / "output.txt"
    run = command(released.data.folder, released.workspace, "model.seed=7")
    with output.open("w") as stream:
        first = subprocess.Popen(run, stdout=stream, stderr=subprocess.STDOUT)
        wait_until(lambda: "inputs" in output.read_text(), first, output)
        second = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE_S)
        assert second.returncode == 2
        (line,) = second.stderr.strip().splitlines()
        assert f"process {first.pid} " in line
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
