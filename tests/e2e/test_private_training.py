"""A run with a promise of privacy: trained, judged, told of, and asked to come out again."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from components.decision import CheckResult, Decision, Verdict
from pipeline.cli import main
from tests.e2e.making import SETTINGS, SmallData, make_small_data, watched_run

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

POLICY = """\
name: small
alpha: 0.025
leakage: stop
planned_looks: 100
checks:
  - metric: auc
    slice: overall
    floor: 0.01
    rationale: any network
privacy:
  epsilon_ceiling: {ceiling}
  rationale: as the ethics board said
"""
PRIVATE = (*SETTINGS, "model.epochs=2", "training.privacy.epsilon=8")


class PrivateRun:
    """A first run whose policy allows its promise."""

    def __init__(self, root: Path) -> None:
        self.workspace, self.data = root / "workspace", SmallData(root / "small")
        make_small_data(self.data.folder, training=600, judged=300)
        self.policy = self.workspace / "baselines" / "small" / "policy.yaml"
        self.policy.parent.mkdir(parents=True)
        self.decision = self.run(ceiling=8.0)

    def run(self, ceiling: float) -> Decision:
        self.policy.write_text(POLICY.format(ceiling=ceiling))
        found = watched_run(self.data.config(*PRIVATE), self.workspace).outcome.decision
        assert found is not None
        return found

    def lineage(self, *arguments: str) -> Result:
        where = ("--workspace", str(self.workspace))
        return CliRunner().invoke(main, ["lineage", *arguments, *where])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PrivateRun:
    return PrivateRun(tmp_path_factory.mktemp("private"))


def promise(decision: Decision) -> CheckResult:
    (found,) = [check for check in decision.checks if check.check == "privacy.epsilon"]
    return found


def test_a_promise_within_the_ceiling_is_judged_by_its_noise_and_stated(made: PrivateRun) -> None:
    found = promise(made.decision)
    assert found.verdict is Verdict.PASS and 7.9 < (found.estimate or 0) <= 8
    assert made.decision.verdict is Verdict.INCONCLUSIVE  # the first model waits for a person
    card = made.lineage("card", made.decision.run_id).output
    assert f"PASS: {found.reason}" in card and "the operating point and every figure" in card
    (record,) = made.workspace.glob("artifacts/Trainer/model/*/Format-Serving/**/*.json")
    said = json.loads(record.read_text())["privacy"]
    assert said["unit"] == "patient" and said["epsilon"] == pytest.approx(found.estimate)


def test_a_ceiling_below_the_promise_fails_the_same_model(made: PrivateRun) -> None:
    decision = made.run(ceiling=3.0)
    assert decision.hashes["candidate"] == made.decision.hashes["candidate"]
    assert decision.verdict is promise(decision).verdict is Verdict.FAIL
    assert promise(decision).limit == 3.0


def repeated(made: PrivateRun) -> tuple[int, dict[str, Any]]:
    done = made.lineage("reproduce", made.decision.run_id, "--format", "json")
    return done.exit_code, json.loads(done.stdout)


def test_another_model_comes_out_again_and_that_is_neither_passed_nor_failed(
    made: PrivateRun,
) -> None:
    exit_code, answer = repeated(made)
    assert exit_code == 3, answer
    assert answer["facts"]["scores"] == "different"
    assert any("a secret that nobody kept" in note for note in answer["notes"])
