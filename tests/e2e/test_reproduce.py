"""A real run, run once more from its record."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.baselines.scores import load_scores
from components.lineage.record import load_record
from components.records.errors import IntegrityError
from components.records.run_files import RUN_RECORD, SCORES
from pipeline.evidence.answer import Answer
from pipeline.evidence.reproduce.reproduce import reproduce
from pipeline.evidence.reproduce.restore import Say
from pipeline.evidence.subject import Evidence
from pipeline.settings.config import REPOSITORY
from tests.e2e.conftest import Released
from tests.e2e.making import make_small_data
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

SOURCE = ("components", "pipeline", "schemas", "baselines")
FILES = ("pyproject.toml", "setup.py", "uv.lock", "README.md")
CONFIG = """\
signing: {unsigned: true}
model: {image_size: 32, filters: [8, 16], epochs: 1, batch_size: 64, learning_rate: 0.004}
"""


def repeated(
    workspace: Path,
    name: str,
    *,
    repository: Path = REPOSITORY,
    fresh: bool = False,
    keep: bool = False,
    say: Say = lambda line: None,
) -> Answer:
    with Evidence(workspace) as evidence:
        return reproduce(
            evidence,
            evidence.subject(name),
            repository=repository,
            say=say,
            fresh=fresh,
            keep=keep,
        )


def test_a_released_run_comes_out_again_to_the_last_bit(honest: Released) -> None:
    """Trained anew in another workspace, by another process."""
    said: list[str] = []
    run = honest.second.outcome.decision.run_id
    ledger = (honest.workspace / "ledger.jsonl").read_bytes()
    answer = repeated(honest.workspace, run, keep=True, say=said.append)
    assert answer.facts["scores"] == "identical" and answer.exit_code == 0
    assert answer.facts["scores: cases"] == 500
    assert answer.facts["verdict"] == "the same: PASS"
    assert answer.facts["checks"].startswith("0 of ")
    assert str(answer.facts["training data"]).startswith("the same: ")
    assert answer.facts["code and environment"].startswith("this checkout ")
    assert (honest.workspace / "ledger.jsonl").read_bytes() == ledger
    scratch = Path(said[-1].removeprefix("kept: "))
    *_, again = sorted(scratch.glob(f"**/runs/*/{RUN_RECORD}"))
    trained = {component.name: component.state for component in load_record(again).components}
    assert trained["Trainer"] == "finished"
    ours = load_scores(again.with_name(SCORES))
    first = load_scores(honest.first.outcome.report.with_name(SCORES))
    shutil.rmtree(scratch)
    assert ours.case_ids == first.case_ids
    assert ours.scores.tobytes() == first.scores.tobytes()
    assert ours.operating_point == first.operating_point


def test_data_that_changed_are_found_before_anything_runs(released: Released) -> None:
    row = released.data.of_split("train")[0]
    picture = released.data.folder / row["path"]
    picture.write_bytes(picture.read_bytes() + b"\0")
    with refused(IntegrityError, "they hash to "):
        repeated(released.workspace, released.second.outcome.decision.run_id)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A. Tester", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.mark.slow
def test_a_run_of_another_commit_comes_out_again_in_an_environment_made_anew(
    tmp_path: Path,
) -> None:
    """With an edit that was never committed, which the record keeps."""
    checkout, workspace = tmp_path / "checkout", tmp_path / "workspace"
    for name in SOURCE:
        shutil.copytree(
            REPOSITORY / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in FILES:
        shutil.copy(REPOSITORY / name, checkout / name)
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "as it was")
    network = checkout / "pipeline" / "model" / "networks" / "small.py"
    network.write_text(network.read_text() + "\n# not committed\n")
    data = make_small_data(tmp_path / "small", training=300, judged=300)
    (tmp_path / "config.yaml").write_text(CONFIG + f"data: {{source: {data.folder}}}\n")
    main = "from pipeline.cli import main; main()"
    options = ["--config", str(tmp_path / "config.yaml"), "--workspace", str(workspace)]
    done = subprocess.run(
        [sys.executable, "-c", main, "run", *options],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    (record,) = (load_record(path) for path in workspace.glob(f"runs/*/{RUN_RECORD}"))
    assert record.code.git_dirty and record.code.diff_sha256
    git(checkout, "checkout", "--quiet", "--", ".")

    answer = repeated(workspace, record.run_id, repository=checkout, fresh=True)

    assert answer.facts["scores"] == "identical", json.dumps(answer.as_json(), indent=2)
    assert str(answer.facts["code and environment"]).endswith(
        "with what was not committed, environment made anew"
    )
