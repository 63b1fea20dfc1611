"""A team's repository with real commits, and `casegate ci` in it as a job would call it."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from components.baselines.golden import load_golden
from components.baselines.scores import CaseScores
from components.records.files import write_atomically
from pipeline.ci.git import Checkout
from pipeline.commands.ci import ci
from tests.components.planting import scored
from tests.pipeline.score_making import CASES, Team

CONFIG = """\
data: {source: data/chest.npz}
ci: {directory: baselines, baseline: chest}
"""
QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A. Radiologist",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A. Radiologist",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}
UNTRACKED = ("*.npz", "cache", "moved", "gone", "registry", "baselines/locked")
OF_CI = ("CI", "GIT", "JENKINS", "CHANGE", "BUILD", "TAG", "BRANCH")


class Repository:
    """A git repository in a folder; paths are relative to it."""

    def __init__(self, root: Path, *, made: bool = True) -> None:
        self.root = root
        if made:
            root.mkdir(parents=True, exist_ok=True)
            self.git("init", "-q", "-b", "main")

    @property
    def checkout(self) -> Checkout:
        return Checkout(self.root)

    def git(self, *arguments: str) -> str:
        return self.git_bytes(*arguments).decode().strip()

    def git_bytes(self, *arguments: str) -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            capture_output=True,
            env={**os.environ, **QUIET},
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def write(self, path: str, content: bytes | str) -> Path:
        file = self.root / path
        write_atomically(file, content.encode() if isinstance(content, str) else content)
        return file

    def commit(self, **files: str) -> str:
        """A commit of all that differs, and of `files`, by path; returns its hash."""
        for path, content in files.items():
            self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "changed")
        return self.git("rev-parse", "HEAD")

    def clone(self, to: Path, *options: str) -> "Repository":
        """A clone over git's own protocol, as a job makes it."""
        self.git("clone", "-q", *options, f"file://{self.root}", str(to))
        return Repository(to, made=False)


class TeamRepository(Repository):
    """A repository with a baseline, a configuration and something of each kind to change."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        Team(root / "baselines")
        (root / "baselines" / "champion.csv").unlink()
        self.baseline = root / "baselines" / "chest"
        self.write(".git/info/exclude", "\n".join(UNTRACKED))
        self.first = self.commit(
            **{"casegate.yaml": CONFIG, "README.md": "a", "docs/use.md": "a", "model.py": "a"}
        )

    def loosen(self) -> None:
        """A floor lowered, not committed yet."""
        policy = self.baseline / "policy.yaml"
        policy.write_text(policy.read_text().replace("floor: 0.8", "floor: 0.7"))

    @property
    def golden(self) -> CaseScores:
        return load_golden(self.baseline / "golden.json").scores


def check(*arguments: object, **environ: str) -> Result:
    """`casegate ci` in this folder."""
    words = ["--config", "casegate.yaml", *map(str, arguments)]
    return CliRunner(env=environ).invoke(ci, words)


def candidate(*wrong: int, model: str = "candidate") -> CaseScores:
    return scored(CASES, wrong=wrong, model=model)


def no_ci(patch: pytest.MonkeyPatch) -> None:
    """Takes away what the machine that runs the tests says of its own job."""
    for name in list(os.environ):
        if name.startswith(OF_CI) and not name.startswith("GIT_CONFIG"):
            patch.delenv(name)
    for name, value in QUIET.items():
        patch.setenv(name, value)


def plan_of(out: Path) -> dict[str, Any]:
    import json

    return json.loads((out / "result.json").read_text())
