"""Two machines that train one model, as two commands on loopback; and one of them killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.process]

CASEGATE = str(Path(sys.executable).with_name("casegate"))
SETTINGS = ("strategy=multi_worker", "wait_minutes=5")


def free_ports() -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def started(index: int, ports: list[int], log: Path, *words: str) -> "subprocess.Popen[bytes]":
    machines = [f"127.0.0.1:{port}" for port in ports]
    place = {"cluster": {"worker": machines}, "task": {"type": "worker", "index": index}}
    environment = {**os.environ, "TF_CONFIG": json.dumps(place)}
    with log.open("wb") as out:
        return subprocess.Popen(
            [CASEGATE, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def pair(folder: Path, *, epochs: int) -> list["subprocess.Popen[bytes]"]:
    ports, workspace = free_ports(), str(folder / "workspace")
    (folder / "workspace").mkdir(exist_ok=True)
    given = [f"model.epochs={epochs}", "signing.unsigned=true", "model.patience=100000"]
    given += [f"training.{each}" for each in SETTINGS]
    settings = [word for each in given for word in ("--set", each)]
    run = ("run", "--data", "phantom:n=400", "--workspace", workspace, *settings)
    worker = ("worker", "train", "--workspace", workspace)
    return [
        started(0, ports, folder / "run.log", *run),
        started(1, ports, folder / "worker.log", *worker),
    ]


def exported(workspace: Path) -> list[Path]:
    places = ("artifacts/Trainer/model/*/**/*.pb", "serving/**/*.pb")
    return [path for place in places for path in workspace.glob(place)]


def test_a_killed_machine_ends_the_run_in_a_line_and_the_next_run_trains_on_both(
    tmp_path: Path,
) -> None:
    run, worker = pair(tmp_path, epochs=9999)
    log, end = tmp_path / "worker.log", time.monotonic() + 900
    while b"epoch 2/" not in log.read_bytes():
        assert time.monotonic() < end and worker.poll() is None and run.poll() is None
        time.sleep(0.5)
    asked = tmp_path / "workspace" / ".training.json"
    left = asked.read_bytes()
    os.killpg(worker.pid, signal.SIGKILL)
    assert run.wait(timeout=900) == 70
    (said,) = [line for line in (tmp_path / "run.log").read_text().splitlines() if "[CG" in line]
    assert said.startswith("DeviceLost: training: ") and said.endswith("[CG9002]")
    workspace = tmp_path / "workspace"
    assert not asked.exists() and not exported(workspace)
    (record,) = workspace.glob("runs/*/run.json")
    assert json.loads(record.read_text())["state"] == "failed"

    asked.write_bytes(left)  # as by a run that was killed: nobody may train by it
    run, worker = pair(tmp_path, epochs=2)
    assert run.wait(timeout=900) == 1 and worker.wait(timeout=900) == 0  # two epochs are few
    (record,) = workspace.glob("artifacts/Trainer/model/*/Format-Serving/assets.extra/release.json")
    training = json.loads(record.read_text())["training"]
    assert (training["strategy"], training["devices"]) == ("multi_worker", 2)
    assert not asked.exists()
