"""A service with a released model, and what a person is told of it."""

from pathlib import Path

import pytest

from pipeline.unattended.monitoring import monitor as module
from tests.pipeline.unattended.monitoring.making import Service, Told


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    found = Told()
    monkeypatch.setattr(module, "tell", lambda config, workspace, message: found.append(message))
    return found


@pytest.fixture
def service(tmp_path: Path, told: Told) -> Service:
    made = Service(tmp_path)
    made.release()
    return made
