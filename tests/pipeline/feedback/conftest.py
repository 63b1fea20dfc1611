"""A clinic that every test has for itself; copying one is quicker than making one."""

import shutil
from pathlib import Path

import pytest

from tests.pipeline.feedback.making import Clinic


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clinic")
    Clinic(root)
    return root


@pytest.fixture
def clinic(_made: Path, tmp_path: Path) -> Clinic:
    shutil.copytree(_made, tmp_path, dirs_exist_ok=True)
    return Clinic(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Reading the case sets that are shipped takes half a second; one test does."""
    monkeypatch.setattr("pipeline.feedback.planning.SHIPPED_BASELINES", tmp_path / "shipped")


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls a plug, and most of their time would be spent waiting for the disk."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
