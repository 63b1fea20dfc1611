"""Runs as real processes, to be met and killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.making import SETTINGS

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


def kill_while_training(data: Path, workspace: Path, output: Path) -> None:
    """Starts a run with its output in a file, and kills it with all its threads as it trains."""
    # Another seed, so that training is not served from the cache; many epochs, so that it lasts.
    settings = ("model.seed=99", "model.epochs=400", "model.patience=400")
    with output.open("w") as stream:
        process = subprocess.Popen(
            command(data, workspace, *settings),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_for(output, "Transform", process)
        time.sleep(6)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
