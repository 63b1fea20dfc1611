"""What the tests of retention share."""

from pathlib import Path

import pytest

from tests.pipeline.unattended.retention.making import Aged


@pytest.fixture
def aged(tmp_path: Path) -> Aged:
    return Aged(tmp_path)
