"""Runs as real processes, to be met and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.making import SETTINGS

PATIENCE_S = 240


def command(data: Path, workspace: Path, *settings: str) -> list[str]:
    flags = [flag for setting in (*SETTINGS, *settings) for flag in ("--set", setting)]
    casegate = Path(sys.executable).with_name("casegate")
    return [str(casegate), "run", "--data", str(data), "--workspace", str(workspace), *flags]


def wait_until(met: Callable[[], bool], process: subprocess.Popen, output: Path) -> None:
    """While the process lives, whose output is in a file."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if met():
            return
        assert process.poll() is None, output.read_text()
        time.sleep(0.1)
    raise AssertionError(f"it never came:\n{output.read_text()}")


@contextmanager
def job_server(folder: Path) -> Iterator[str]:
    """Beam's own, which runs a job in memory and its work in the workers that it is given."""
    port_file = folder / "port"
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    command += ["--port", "0", "--port_file", str(port_file), "--staging_dir", str(folder)]
    with (folder / "job.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(
            lambda: port_file.exists() and bool(port_file.read_text().strip()),
            process,
            folder / "job.log",
        )
        yield f"127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.wait(30)


def kill_while_training(data: Path, workspace: Path, output: Path) -> None:
    """Starts a run with its output in a file, and kills it with all its threads as it trains."""
    models = workspace / "artifacts" / "Trainer" / "model"
    known = set(models.iterdir())
    # Another seed, so that training is not served from the cache; many epochs, so that it lasts.
    settings = ("model.seed=99", "model.epochs=400", "model.patience=400")
    with output.open("w") as stream:
        process = subprocess.Popen(
            command(data, workspace, *settings),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(lambda: set(models.iterdir()) > known, process, output)
            time.sleep(2)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
