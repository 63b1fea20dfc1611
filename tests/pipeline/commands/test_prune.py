"""`casegate prune` as a person and as a machine meets it."""

import json
import os
from pathlib import Path

from click.testing import CliRunner, Result

from pipeline.commands.prune import prune
from tests.pipeline.unattended.retention.making import Aged, run_of

OLD, LAST = "2026-01-01", "2026-06-30"
STRICT = ("--set", "retention.keep_runs=1", "--set", "retention.keep_days=0")


def pruned(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(prune, ["--workspace", str(workspace), *arguments])


def made(root: Path) -> Aged:
    aged = Aged(root)
    aged.run(OLD)
    aged.run(LAST)
    return aged


def test_what_went_is_said_by_run_and_why_the_rest_stays(tmp_path: Path) -> None:
    result = pruned(made(tmp_path).workspace.root, *STRICT)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "removed: 2 folders and logs, 2 files, 39 bytes; entry 3",
        f"  run {run_of(OLD)}: 2, 39 bytes",
        f"stays: run {run_of(LAST)}: one of the newest",
    ]
    again = pruned(tmp_path / "workspace", *STRICT)
    assert again.stdout.splitlines()[0] == "nothing to remove"


def test_a_dry_run_names_every_folder(tmp_path: Path) -> None:
    result = pruned(made(tmp_path).workspace.root, *STRICT, "--dry-run")
    assert result.stdout.startswith("would go: 2 folders and logs, 2 files, 39 bytes\n")
    assert "artifacts/Trainer/model/2\n" in result.stdout
    assert not (tmp_path / "workspace" / "retention").exists()


def test_the_policy_comes_from_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("retention: {keep_runs: 1, keep_days: 100000}\n")
    result = pruned(made(tmp_path).workspace.root, "--config", str(config))
    assert result.stdout.startswith("nothing to remove\n")


def test_a_machine_gets_all_of_it(tmp_path: Path) -> None:
    aged = made(tmp_path)
    result = pruned(aged.workspace.root, *STRICT, "--format", "json")
    said = json.loads(result.stdout)
    assert (said["files"], said["bytes"], said["entry"], said["dry_run"]) == (2, 39, 3, False)
    assert [row["path"] for row in said["removed"]] == [
        "artifacts/Trainer/model/2",
        "artifacts/TrainingCases/examples/1",
    ]
    assert said["kept"] == {run_of(LAST): "one of the newest"} and said["unknown"] == []


def test_a_workspace_in_use_is_refused_in_one_line(tmp_path: Path) -> None:
    aged = made(tmp_path)
    with aged.workspace.opened():
        result = pruned(aged.workspace.root, *STRICT)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("WorkspaceBusy: ") and f"process {os.getpid()} " in line


def test_a_policy_that_would_keep_nothing_is_refused(tmp_path: Path) -> None:
    result = pruned(made(tmp_path).workspace.root, "--set", "retention.keep_runs=0")
    assert result.exit_code == 2
    assert "retention.keep_runs: got 0, wanted at least 1" in result.stderr
