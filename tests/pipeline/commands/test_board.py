"""`casegate board`: TensorBoard on the runs of a workspace, in the place of the command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: found.append(words))
    return found


def test_it_becomes_tensorboard_on_the_runs_for_this_machine_alone(
    tmp_path: Path, started: list[list[str]]
) -> None:
    (tmp_path / "runs" / "20260101T000000Z" / "board").mkdir(parents=True)
    done = CliRunner().invoke(main, ["board", "--workspace", str(tmp_path), "--port", "0"])
    ((program, *words),) = started
    assert program == sys.executable and words[:2] == ["-m", "tensorboard.main"]
    given = dict(zip(words[2::2], words[3::2]))
    assert given == {
        "--logdir": str(tmp_path.resolve() / "runs"),
        "--host": "127.0.0.1",
        "--port": "0",
    }
    assert "1 runs" in done.output and "20260101T000000Z" in done.output


def test_a_workspace_without_figures_is_a_mistake(tmp_path: Path, started: list[list[str]]) -> None:
    done = CliRunner().invoke(main, ["board", "--workspace", str(tmp_path)])
    assert done.exit_code == 2 and "no run left figures" in done.output and not started


def test_the_command_itself_imports_no_tensorflow() -> None:
    script = "import sys, pipeline.commands.board; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
