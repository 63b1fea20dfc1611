import os
import subprocess
from pathlib import Path

import pytest

from components.records.git import distrust


def test_a_checkout_of_somebody_else_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert distrust(tmp_path) == ""
    # As git's own tests have it: no file needs another owner.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert distrust(tmp_path).endswith(f"`git config --global --add safe.directory {tmp_path}`")


def test_what_is_no_checkout_is_nobodys(tmp_path: Path) -> None:
    assert distrust(tmp_path) == distrust(tmp_path / "absent") == ""
    assert os.sep not in distrust(Path("/"))
