"""What the tests of the pipeline share."""

from pathlib import Path

import pytest

from tests.pipeline.making import Small


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)
