"""What the tests of the pipeline share."""

from pathlib import Path

import pytest

from components.baselines.scores import Servability
from tests.pipeline.making import Small


@pytest.fixture(autouse=True)
def any_model_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models here are a few words in a file; tests/components/scoring has real ones."""
    for reader in ("governance.rollback", "evidence.verify.verify"):
        monkeypatch.setattr(f"pipeline.{reader}.probe", lambda model: Servability(None, "a loader"))


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)
