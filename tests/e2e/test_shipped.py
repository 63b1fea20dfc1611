"""The shipped policies and baselines, on the data they are for; minutes, so marked slow."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.baselines.golden import load_golden
from components.decision import Decision, Verdict
from components.gate.decide import decide
from components.gate.policy import load_policy
from pipeline.settings.baselines import SHIPPED_BASELINES
from tests.e2e.making import make_small_data
from tests.measure.training import retrained

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

CASEGATE = str(Path(sys.executable).with_name("casegate"))


def judged(source: str, seed: int) -> Decision:
    """The shipped gate's word on a model trained from `source`."""
    baseline = SHIPPED_BASELINES / "phantom"
    return decide(
        policy=load_policy(baseline / "policy.yaml"),
        case_set=load_case_set(baseline / "case_set.json"),
        candidate=retrained(source, seed),
        champion=None,
        golden=load_golden(baseline / "golden.json"),
        evaluator=None,
        scores_only=True,
        findings=(),
        run_id="test",
        created="2000-01-01T00:00:00Z",
    )


@pytest.mark.parametrize("seed", [101, 102])
def test_honest_retraining_passes(seed: int) -> None:
    assert judged("phantom", seed).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("phantom:label_noise=0.5", "auc[overall].floor"),
        ("phantom:label_noise=0.2", "specificity[overall].floor"),
        ("phantom:leave_out=effusion", "sensitivity[aetiology=effusion].floor"),
        ("phantom:n=800", "brier[overall].ceiling"),
    ],
)
def test_planted_regression_is_blocked_and_named(source: str, check: str) -> None:
    decision = judged(source, 1)
    assert decision.verdict is Verdict.FAIL
    assert check in {c.check for c in decision.checks if c.verdict is Verdict.FAIL}


@pytest.mark.parametrize("device", ["Aster", "Boreal", "Cirrus"])
def test_a_device_left_out_is_blocked_by_name(device: str, tmp_path: Path) -> None:
    done = casegate_run(f"phantom:leave_out={device}", tmp_path / "workspace")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"coverage[device={device}]: 0 training cases have device '{device}'" in done.stdout


def casegate_run(data: Path | str, workspace: Path) -> subprocess.CompletedProcess:
    command = [CASEGATE, "run", "--data", str(data), "--workspace", str(workspace)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800)


@pytest.mark.parametrize(
    ("name", "data"), [("kermany", "chest_xray_224"), ("pneumoniamnist", "pneumoniamnist.npz")]
)
def test_the_published_images_are_those_that_were_locked(
    name: str, data: str, real_data: Path | None
) -> None:
    if real_data is None:
        pytest.skip("the published radiographs are not beside this checkout")
    words = [CASEGATE, "cases", "verify", name, "--source", str(real_data / data)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    locked = load_case_set(SHIPPED_BASELINES / name / "case_set.json")
    assert locked.merkle_root in done.stdout and "624 cases" in done.stdout


def test_published_pneumoniamnist_is_released_against_the_shipped_golden(
    real_data: Path | None, tmp_path: Path
) -> None:
    data = "phantom" if real_data is None else real_data / "pneumoniamnist.npz"
    done = casegate_run(data, tmp_path / "workspace")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS  " in done.stdout and "version" in done.stdout
    assert "vs golden" in done.stdout


def test_folder_without_a_baseline_is_inconclusive_at_first(
    real_data: Path | None, tmp_path: Path
) -> None:
    if real_data is None:
        folder = make_small_data(tmp_path / "small").folder
    else:
        folder = real_data / "chest_xray_224"
    done = casegate_run(folder, tmp_path / "workspace")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "INCONCLUSIVE  not released" in done.stdout
    assert "baseline.golden: " in done.stdout
    assert not (tmp_path / "workspace" / "serving").exists()
