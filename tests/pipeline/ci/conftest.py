"""A fresh repository for each test, copied from one that was made once."""

import shutil
from pathlib import Path

import pytest

from tests.pipeline.ci.making import Repository, TeamRepository, no_ci


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    no_ci(monkeypatch)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        no_ci(patch)
        return TeamRepository(tmp_path_factory.mktemp("team") / "team").root


@pytest.fixture
def team(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TeamRepository:
    root = tmp_path / "team"
    shutil.copytree(made_once, root)
    monkeypatch.chdir(root)
    repository = TeamRepository.__new__(TeamRepository)
    Repository.__init__(repository, root, made=False)
    repository.baseline = root / "baselines" / "chest"
    repository.first = repository.git("rev-parse", "HEAD")
    return repository
