"""`casegate gate` as a process: what changes its answer, and what it imports."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.golden import load_golden
from tests.components.planting import scored
from tests.pipeline.score_making import CASES, Team, write_scores

HEAVY = (
    *("tensorflow", "tfx", "keras", "apache_beam", "ml_metadata"),
    *("pandas", "scipy.stats", "pydantic", "google.protobuf"),
)
COMMAND = str(Path(sys.executable).parent / "casegate")


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


# The process


def process(team: Team, *more: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [COMMAND, "gate", *team.arguments(**{"format": "json"}), *more]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment})


@pytest.mark.process
def test_nothing_but_the_evidence_changes_the_decision(team: Team) -> None:
    first = process(team)
    assert first.returncode == 0 and first.stderr == b""
    again = [
        process(team, LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8", PYTHONHASHSEED="7"),
        process(team, LC_ALL="C", TZ="Asia/Tokyo", PYTHONHASHSEED="8"),
    ]
    assert {done.stdout for done in again} == {first.stdout}
    for name, wrong in (("candidate.csv", [2]), ("champion.csv", [1])):
        order = random.Random(name).sample(range(400), 400)
        write_scores(team.root / name, scored(CASES, wrong=wrong), order=order)
        result = team.gate(team.root / "candidate.csv", format="json")
        assert result.stdout_bytes == first.stdout


@pytest.mark.process
def test_heavy_packages_are_not_imported(tmp_path: Path) -> None:
    """With 2000 cases and every kind of check, which is what has to be judged in a second."""
    golden = load_golden(Path("baselines/phantom/golden.json")).scores
    options = ["--case-set", "phantom", "--operating-point", str(golden.operating_point)]
    for name, shift in (("candidate", 1e-6), ("champion", 2e-6)):
        scores = replace(golden, scores=golden.scores * (1 - shift))
        options += [f"--{name}", str(write_scores(tmp_path / f"{name}.csv", scores))]
    program = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import main\n"
        "for form in ('text', 'json', 'html'):\n"
        f"    done = CliRunner().invoke(main, ['gate', *{options!r}, '--format', form])\n"
        f"    print(done.exit_code, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["0 []"] * 3, done.stderr
