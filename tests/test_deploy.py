"""Files to copy onto the machines of a cluster; tests/e2e/test_flink.py runs on the others."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.settings.sections import BeamConfig
from tests.test_docs import parsed

UNIT = Path(__file__).resolve().parents[1] / "deploy" / "flink" / "casegate-workers.service"


def test_the_unit_starts_a_pool_where_runs_look_for_it(tmp_path: Path) -> None:
    (command,) = re.findall(r"^ExecStart=\S+/casegate (.*)$", UNIT.read_text(), re.M)
    assert parsed(command.split(), tmp_path) == {"bind": BeamConfig().worker_pool}


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: install systemd"
)
def test_systemd_has_nothing_against_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.M))
    command = ["systemd-analyze", "verify", str(unit)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.stdout + ended.stderr, ended.returncode) == ("", 0)
