"""Bad days of a server: killed in every phase, a full disk. What is served stays served."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_interrupted import running_executions
from tests.e2e.ward import CASEGATE, PATIENCE_S, Told, Ward, listening

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

DATA = "phantom:n=1400,seed=101"
# What is done last before each blow; "" is the very beginning.
PHASES = (
    "", "inputs", "import TFX", "CaseSet", "TrainingCases", "StatisticsGen", "DataGate",
    "Transform", "Trainer", "CandidateScorer", "ReferenceScorer", "Evaluator", "RegressionGate",
    "DecisionAttestor", "Pusher",
)  # fmt: skip


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    yield from listening()


def released_ward(root: Path, url: str) -> Ward:
    ward = Ward(root, webhook=url)
    ward.deliver(1, DATA)
    assert ward.retrain(code=3)["state"] == "inconclusive"
    ward.approve_first()
    assert ward.retrain(code=0)["state"] == "released"
    return ward


def started(ward: Ward) -> "subprocess.Popen[bytes]":
    where = ["--config", str(ward.config), "--workspace", str(ward.workspace.root)]
    return subprocess.Popen(
        [CASEGATE, "retrain", *where],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=ward.root,
    )


def attempts(ward: Ward) -> list[Path]:
    return sorted((ward.workspace.root / "retraining").glob("*/child.log"))


def killed_after(ward: Ward, phase: str) -> bool:
    """Kills a retraining with -9 right after a component ended; whether it was still there."""
    known, process = len(attempts(ward)), started(ward)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        logs = attempts(ward)[known:]
        text = logs[0].read_text() if logs else None
        if text is not None and (
            not phase or any(row.startswith(phase) for row in text.splitlines())
        ):
            break
        time.sleep(0.05)
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)  # the system takes the run's own process along
    return alive


def no_run_is_left(ward: Ward) -> bool:
    words = str(ward.workspace.root).encode()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes()
        except OSError:
            continue
        if words in line and b"pytest" not in line:
            return False
    return True


def test_killed_in_every_phase_the_release_serves_and_the_next_retraining_is_right(
    tmp_path: Path, told: Told
) -> None:
    ward = released_ward(tmp_path / "ward", told.url)
    first = ward.champion()
    assert first is not None
    ward.deliver(2, "phantom:n=300,seed=102")
    reached = []
    for phase in PHASES:
        if killed_after(ward, phase):
            reached.append(phase)
        assert no_run_is_left(ward)
        served = ward.champion()  # raises where half a model were there
        assert served is not None and served.version >= first.version
        if phase not in ("DecisionAttestor", "Pusher"):
            assert served.version == first.version
    assert set(reached) >= set(PHASES) - {"DecisionAttestor", "Pusher"}
    done = ward.retrain(code=0)
    after = ward.champion()
    assert after is not None and after.version > first.version
    assert done["state"] in ("released", "nothing_new")  # pushed just before the last blow
    assert running_executions(ward.workspace.root) == 0
    assert "none altered" in ward.ran("ledger", "verify", "--workspace", ward.workspace.root)
    assert ward.retrain(code=0)["state"] == "nothing_new"
    assert told.kinds().count("failed") >= len(reached) - 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m", "casegate-test", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"needs an account that may mount a disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_leaves_the_release_and_the_next_retraining_is_right(
    small_disk: Path, told: Told
) -> None:
    ward = released_ward(small_disk / "ward", told.url)
    first = ward.champion()
    assert first is not None
    ward.deliver(2, "phantom:n=300,seed=102")
    ward.settings["retraining"] = {"free_disk_gib": 0.0, "retries": 0}
    ward.configure()
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    with filler.open("wb") as file:
        file.write(b"\0" * (free.f_bavail * free.f_frsize - 1_500_000))
    before = len(told.notices)
    full = ward.ran(
        *("retrain", "--config", ward.config, "--workspace", ward.workspace.root),
        *("--format", "json"),
        code=None,
    )
    served = ward.champion()
    assert served is not None and served.version == first.version
    assert "No space left" in full or json.loads(full)["state"] == "failed"
    assert "failed" in [notice["event"] for notice in told.notices[before:]]
    filler.unlink()
    assert ward.retrain(code=0)["state"] == "released"
    assert "none altered" in ward.ran("ledger", "verify", "--workspace", ward.workspace.root)


def test_too_little_room_is_said_before_anything_is_started(tmp_path: Path, told: Told) -> None:
    ward = Ward(tmp_path / "ward", webhook=told.url)
    ward.deliver(1, "phantom:n=60,seed=1")
    ward.settings["retraining"] = {"free_disk_gib": 1e6}
    ward.configure()
    done = ward.retrain()
    assert (done["state"], done["exit_code"]) == ("failed", 70)
    assert "free" in done["error"]
    assert told.notices[-1]["event"] == "failed"
    assert not ward.workspace.runs.exists()
