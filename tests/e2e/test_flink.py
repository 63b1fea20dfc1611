"""The whole phantom on a cluster of Flink's, held to the same run in memory."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.records.run_files import DECISION, SCORES
from pipeline.run.workers import start_pool
from tests.e2e.flink import Cluster, cluster, job_server_jar, workers_of
from tests.e2e.processes import wait_until
from tests.e2e.test_engine import differing

pytestmark = [pytest.mark.tensorflow, pytest.mark.process, pytest.mark.slow]

CASEGATE = Path(sys.executable).with_name("casegate")


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    job_server_jar()
    with cluster(tmp_path_factory.mktemp("flink")) as started:
        yield started


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    job_server_jar()
    workspace = tmp_path_factory.mktemp("memory") / "workspace"
    process = started(workspace, [])
    assert process.wait(600) == 0, output(workspace)
    return workspace


def started(workspace: Path, settings: list[str]) -> subprocess.Popen[bytes]:
    flags = [flag for setting in settings for flag in ("--set", setting)]
    command = [str(CASEGATE), "run", "--data", "phantom", "--workspace", str(workspace), *flags]
    with workspace.with_suffix(".log").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def output(workspace: Path) -> str:
    return workspace.with_suffix(".log").read_text()


def on(flink: Cluster, *settings: str) -> list[str]:
    jar = job_server_jar()
    return [
        "beam.engine=flink",
        f'beam.flink_master="{flink.master}"',
        f'beam.flink_job_server_jar="{jar}"',
        *settings,
    ]


def assert_same_decision(here: Path, there: Path) -> None:
    (ours,), (theirs,) = (sorted((one / "runs").iterdir()) for one in (here, there))
    decisions = [json.loads((run / DECISION).read_text()) for run in (ours, theirs)]
    assert "\n".join(differing(*decisions)) == ""
    scores = [json.loads((run / SCORES).read_text()) for run in (ours, theirs)]
    assert scores[0]["scores"] == scores[1]["scores"] and len(scores[0]["scores"]) == 2000


def test_a_pool_beside_two_task_managers_comes_to_the_same_decision_value_by_value(
    flink: Cluster, in_memory: Path, tmp_path: Path
) -> None:
    pool, server, address = start_pool("127.0.0.1:0")
    workspace = tmp_path / "workspace"
    settings = on(
        flink,
        "beam.environment=pool",
        f'beam.worker_pool="{address}"',
        "beam.score_from_cases=1",
    )
    try:
        assert started(workspace, settings).wait(900) == 0, output(workspace)
    finally:
        pool.stop()
        server.stop(0)
    # TrainingCases, CaseSet, StatisticsGen, CandidateScorer, ReferenceScorer and Evaluator
    assert len(flink.tasks("finished")) >= 6
    assert pool.started >= 2 * 6
    assert_same_decision(in_memory, workspace)


def test_a_task_manager_that_is_killed_changes_nothing(
    flink: Cluster, in_memory: Path, tmp_path: Path
) -> None:
    before = set(flink.tasks("total"))
    victim = flink.task_managers[1]
    workspace = tmp_path / "workspace"
    process = started(workspace, on(flink, "beam.environment=process"))

    def in_the_middle_of_statistics() -> bool:
        jobs = [tasks for job, tasks in flink.tasks("running").items() if job not in before]
        return len(jobs) == 3 and jobs[2] > 0 and bool(workers_of(victim))

    wait_until(in_the_middle_of_statistics, process, workspace.with_suffix(".log"))
    orphans = workers_of(victim)
    victim.kill()
    assert process.wait(900) == 0, output(workspace)
    assert flink.ask("overview")["taskmanagers"] == 1
    assert re.search(f"{workspace}.* from state RUNNING to RESTARTING", flink.log())
    assert [one for one in orphans if one.is_running() and one.status() != "zombie"] == []
    assert_same_decision(in_memory, workspace)
    (version,) = (workspace / "serving" / "pneumonia").iterdir()
    assert version.name.isdecimal() and not list((workspace / "serving").glob(".incoming/*"))
    ledger = [str(CASEGATE), "ledger", "verify", "--workspace", str(workspace)]
    assert subprocess.run(ledger, capture_output=True).returncode == 0
