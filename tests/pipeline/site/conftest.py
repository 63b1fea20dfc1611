"""One workspace for all tests that only read it."""

from pathlib import Path

import pytest

from tests.pipeline.site.making import hostile


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never to be altered: copy it."""
    return hostile(tmp_path_factory.mktemp("audit"))
