"""What the tests of retraining share."""

from pathlib import Path

import pytest

from tests.pipeline.unattended.retraining.making import Unattended


@pytest.fixture
def unattended(tmp_path: Path) -> Unattended:
    return Unattended(tmp_path)
