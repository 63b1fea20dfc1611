"""A regressing model in a pull request, blocked by a real run, and again from the cache."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings.config import REPOSITORY
from tests.pipeline.ci.making import Repository, no_ci, plan_of

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

CONFIG = """\
data: {{source: "phantom:n=1200,label_noise={noise}"}}
model: {{epochs: 3}}
ci: {{source: "phantom:cases=development", baseline: phantom-development}}
"""
PROGRAM = "from pipeline.commands.ci import ci; ci()"


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    no_ci(monkeypatch)


def check(repository: Repository, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "--config", "casegate.yaml", "--cache", str(cache)],
        capture_output=True,
        text=True,
        cwd=repository.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_a_regressing_model_is_blocked_and_the_pull_request_says_why(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work")
    repository.commit(**{"casegate.yaml": CONFIG.format(noise=0.0)})
    repository.commit(**{"casegate.yaml": CONFIG.format(noise=0.4)})
    done = check(repository, tmp_path / "cache")
    assert done.returncode == 1, done.stdout + done.stderr
    out = repository.root / "ci-results"
    summary = (out / "summary.md").read_text()
    assert "# casegate: FAIL" in summary
    assert "change against golden" in summary
    assert plan_of(out)["plan"] == "full"
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    again = check(repository, tmp_path / "cache")
    assert (again.returncode, plan_of(out)["notes"]["cache"][:3]) == (1, "hit")
    assert plan_of(out)["seconds"]["result"] >= 0
    # Its results are no change of anybody's, even to `git add -A`.
    repository.commit(**{"README.md": "a"})
    assert check(repository, tmp_path / "cache").returncode == 0
