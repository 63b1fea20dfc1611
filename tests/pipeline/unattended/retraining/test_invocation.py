"""The child that is started is this installation's casegate, on the settings that decide."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining import invocation


def test_the_settings_that_decide_read_back_as_they_were(tmp_path: Path) -> None:
    config = load_config(None, ["model.filters=[8, 16]", "metadata=null", "notify.smtp.port=26"])
    read = load_config(invocation.write_settings(config, tmp_path))
    assert read.deciding_sha256() == config.deciding_sha256()
    assert read.notify.smtp.port == 25


@pytest.mark.process
def test_a_folder_called_pipeline_where_it_is_started_does_not_come_in_its_way(
    tmp_path: Path,
) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("raise SystemExit(9)")
    done = subprocess.run(
        [*invocation.casegate(), "run", "--nonsense"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("casegate run: No such option")


def test_secrets_of_notices_do_not_reach_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", "hunter2")
    monkeypatch.setenv("CASEGATE_SMTP_PASSWORD", "hunter2")
    given = invocation.environment()
    assert "hunter2" not in given.values()
    assert given["PATH"] == os.environ["PATH"]


def test_no_reason_is_no_flag() -> None:
    workspace = Workspace(Path("/ws"))
    command = invocation.run_command(
        ["casegate"], Path("c.json"), workspace, trigger="drift", why=None
    )
    assert " ".join(command) == (
        "casegate run --config c.json --workspace /ws --trigger drift --format json"
    )


@pytest.mark.process
def test_whoever_supervises_imports_no_tensorflow() -> None:
    program = (
        "import sys, pipeline.commands.retrain, pipeline.unattended.retraining\n"
        "import pipeline.unattended.retraining.show_retrain, "
        "pipeline.unattended.notifying, pipeline.unattended.retention, pipeline.run.recorder\n"
        "heavy = {'tensorflow', 'tfx', 'ml_metadata', 'apache_beam'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
