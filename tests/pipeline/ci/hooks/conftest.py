"""What the tests of hooks share."""

from pathlib import Path

import pytest

from tests.pipeline.ci.hooks.making import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo").with_baseline()
