"""What tests of every component share."""

import os
from pathlib import Path

import pytest

BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path | None:
    """A folder of real radiographs beside the checkout, or where CASEGATE_TEST_DATA says.

    None where it is absent: a test then checks the same claim on what it makes itself.
    """
    folder = Path(os.environ.get("CASEGATE_TEST_DATA") or BESIDE_THE_CHECKOUT)
    return folder if folder.is_dir() else None
