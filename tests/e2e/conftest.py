"""One honest release on the small data, made once; each test works on a copy of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.governance.approval import bootstrap_golden
from tests.e2e.making import POLICY, SmallData, Watched, make_small_data, watched_run


class Released:
    """Data, workspace and the runs that led to the first release."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = SmallData(root / "small")
        self.workspace = root / "workspace"
        self.first: Watched
        self.second: Watched


@pytest.fixture(scope="session")
def honest(tmp_path_factory) -> Released:
    """First run (inconclusive), bootstrap by name, second run (released)."""
    made = Released(tmp_path_factory.mktemp("honest"))
    make_small_data(made.data.folder)
    baseline = made.workspace / "baselines" / "small"
    baseline.mkdir(parents=True)
    config = made.data.config()
    made.first = watched_run(config, made.workspace)
    (baseline / "policy.yaml").write_text(POLICY)
    made.first = watched_run(config, made.workspace)
    bootstrap_golden(made.workspace, run_id=None, by="A. Tester", reason="first model")
    made.second = watched_run(config, made.workspace)
    return made


@pytest.fixture
def released(honest: Released) -> Iterator[Released]:
    """The workspace with its release, free to be spoiled: put back as it was afterwards.

    Under the same paths, because ML Metadata knows artifacts by their paths.
    """
    kept = honest.root.with_name(f"{honest.root.name}-kept")
    shutil.copytree(honest.root, kept)
    yield honest
    shutil.rmtree(honest.root)
    kept.rename(honest.root)
