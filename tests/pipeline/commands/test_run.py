"""`casegate retrain` as it is typed, on a workspace where no run can get far."""

import json
from pathlib import Path

import filelock
from click.testing import CliRunner, Result

from pipeline.commands.run import retrain
from tests.pipeline.unattended.retraining.making import SETTINGS


def typed(workspace: Path, *arguments: str) -> Result:
    flags = [flag for setting in SETTINGS for flag in ("--set", setting)]
    return CliRunner().invoke(retrain, ["--workspace", str(workspace), *flags, *arguments])


def test_data_that_are_not_there_end_in_one_line_and_code_2(tmp_path: Path) -> None:
    done = typed(tmp_path / "ws", "--data", str(tmp_path / "chest"))
    assert done.exit_code == 2
    assert "SourceError" in done.stderr and "CG2004" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (line,) = (tmp_path / "ws" / "retraining" / "attempts.jsonl").read_text().splitlines()
    assert json.loads(line)["state"] == "failed"


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    data = str(tmp_path / "chest")
    done = typed(tmp_path / "ws", "--data", data, "--trigger", "drift", "--format", "json")
    told = json.loads(done.stdout)
    assert (told["state"], told["exit_code"], told["trigger"]) == ("failed", 2, "drift")
    assert told["error"].startswith(f"SourceError: {data}: ")
    assert done.stderr.count("SourceError") == 1


def test_a_setting_that_is_wrong_starts_nothing(tmp_path: Path) -> None:
    done = typed(tmp_path / "ws", "--set", "retraining.memory_gib=0")
    assert done.exit_code == 2
    assert done.stderr.startswith("ConfigError: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "ws").exists()


def test_a_second_one_is_refused_in_one_line(tmp_path: Path) -> None:
    with filelock.FileLock(tmp_path / ".retrain.lock"):
        done = typed(tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"WorkspaceBusy: {tmp_path}: ")
    assert len(done.stderr.splitlines()) == 1
