"""One honest release on the small data, made once; each test works on a copy of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.governance.approval import bootstrap_golden
from pipeline.run.runner import RunOutcome
from tests.e2e.making import (
    HARSH,
    OTHER_SEED,
    POLICY,
    SmallData,
    Watched,
    make_small_data,
    watched_connections,
    watched_run,
)


class Released:
    """Data, workspace and the runs that led to the first release."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = SmallData(root / "small")
        self.workspace = root / "workspace"
        self.policy = self.workspace / "baselines" / "small" / "policy.yaml"
        self.connections: list[str]
        self.first: Watched
        self.second: Watched
        self.blocked: RunOutcome

    @contextmanager
    def spoiled(self, beginning: Path | None = None) -> Iterator[None]:
        """Free to be changed, as it is or as `beginning` has it; put back as it was afterwards.

        Under the same paths, because ML Metadata knows artifacts by their paths.
        """
        kept = self.root.with_name(f"{self.root.name}-kept")
        if beginning is None:
            shutil.copytree(self.root, kept)
        else:
            self.root.rename(kept)
            shutil.copytree(beginning, self.root)
        try:
            yield
        finally:
            shutil.rmtree(self.root)
            kept.rename(self.root)


@pytest.fixture(scope="session")
def honest(tmp_path_factory) -> Released:
    """First run (inconclusive), bootstrap by name, second run (released)."""
    made = Released(tmp_path_factory.mktemp("honest"))
    make_small_data(made.data.folder)
    made.policy.parent.mkdir(parents=True)
    made.policy.write_text(POLICY)
    config = made.data.config()
    with watched_connections() as made.connections:
        made.first = watched_run(config, made.workspace)
    bootstrap_golden(made.workspace, run_id=None, by="A. Tester", reason="first model")
    made.second = watched_run(config, made.workspace)
    return made


@pytest.fixture
def released(honest: Released) -> Iterator[Released]:
    """The workspace with its release, free to be changed."""
    with honest.spoiled():
        yield honest


@pytest.fixture(scope="session")
def trained_again(honest: Released, tmp_path_factory) -> Path:
    """The same folder after another training that too strict a policy blocked; under OTHER_SEED."""
    kept = tmp_path_factory.mktemp("again") / "small"
    with honest.spoiled():
        honest.policy.write_text(HARSH)
        config = honest.data.config(OTHER_SEED)
        honest.blocked = watched_run(config, honest.workspace).outcome
        shutil.copytree(honest.root, kept)
    return kept


@pytest.fixture
def retrained(honest: Released, trained_again: Path) -> Iterator[Released]:
    """The release, and a trained model that was not released: the policy is as it was before."""
    with honest.spoiled(trained_again):
        honest.policy.write_text(POLICY)
        yield honest
