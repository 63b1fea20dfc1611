import os
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.run import bound


def test_a_child_whose_parent_is_gone_never_starts(tmp_path: Path) -> None:
    command = [sys.executable, bound.__file__, str(os.getpid() + 1), "/bin/touch", tmp_path / "x"]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert not (tmp_path / "x").exists()
