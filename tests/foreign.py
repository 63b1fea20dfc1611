"""Programs that are not casegate, and read in tests what casegate writes for them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE_PYTHON = str(Path(sys.executable).parent)


def needs(program: str, package: str) -> str:
    """The program's path; skips the test, naming both, where it is not installed."""
    path = shutil.which(program, path=os.pathsep.join([BESIDE_PYTHON, os.environ["PATH"]]))
    if path is None:
        pytest.skip(f"no {program} here: install {package}")
    return path


def answer(*command: str | Path, given: bytes = b"", cwd: Path | None = None) -> str:
    """What a program prints; an AssertionError with its complaint where it fails."""
    done = subprocess.run(command, input=given, capture_output=True, cwd=cwd)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout.decode()


def complaint(*command: str | Path, given: bytes = b"", cwd: Path | None = None) -> str:
    """What a program says against what it was given; an AssertionError where it says nothing."""
    done = subprocess.run(command, input=given, capture_output=True, cwd=cwd)
    assert done.returncode != 0, done.stdout.decode(errors="replace")
    return (done.stdout + done.stderr).decode(errors="replace")
