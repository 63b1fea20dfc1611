"""What tests of every component share."""

import os
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine and day: a test that fails has failed before it was committed.
settings.register_profile("casegate", derandomize=True, deadline=None)
settings.load_profile("casegate")

# How wide a command's output is must not hang on whose terminal the tests were started from.
os.environ.pop("COLUMNS", None)
# No test makes a secret in the home of whoever runs it.
os.environ["CASEGATE_SITE_SECRET"] = "the site secret of all tests"

pytest_plugins = ["tests.servers.fixtures", "tests.workers"]

BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path | None:
    """A folder of real radiographs beside the checkout, or where CASEGATE_TEST_DATA says.

    None where it is absent: a test then checks the same claim on what it makes itself.
    """
    folder = Path(os.environ.get("CASEGATE_TEST_DATA") or BESIDE_THE_CHECKOUT)
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_inputs(real_data: Path | None) -> Path:
    """The folder of small pictures that were reported as trouble, beside the real radiographs."""
    folder = (real_data or BESIDE_THE_CHECKOUT).parent / "inputs" / "images"
    if not folder.is_dir():
        pytest.skip("the pictures that were reported are not beside this checkout")
    return folder


# Folders whose tests build whole workspaces, with a store, a ledger and signatures: half a minute
# in all, which `make check` does not have.
STORES = ("bench", "components/attestation", "components/bundle", "components/lineage")
STORES += ("e2e", "pipeline/ci", "pipeline/commands", "pipeline/evidence", "pipeline/feedback")
STORES += ("pipeline/governance", "pipeline/site", "pipeline/unattended/retraining")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them, before pytest leaves out what was not asked for."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(STORES):
            item.add_marker(pytest.mark.store)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport]:
    """Where everything is installed, as on a CI server, CASEGATE_SKIPS=fail hides no skip."""
    report = yield
    if report.skipped and os.environ.get("CASEGATE_SKIPS") == "fail":
        report.outcome = "failed"
    return report


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Spares a run of the pure tests the import of TensorFlow by modules it deselects whole."""
    if "not tensorflow" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return bool(re.search(r"^pytestmark = .*\bmark\.tensorflow\b", text, re.M)) or None
