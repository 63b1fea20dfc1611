import hashlib
from pathlib import Path

import pytest

from components.errors import PolicyError
from components.gate.policy import load_policy

BROKEN = Path(__file__).parents[2] / "broken" / "policies"
COMPLETE = """\
name: phantom
alpha: 0.05
leakage: report
planned_looks: 200
checks:
  - metric: sensitivity
    slice: overall
    floor: 0.80
    margin: 0.05
    method: wilson
    rationale: agreed on
  - {metric: auc, slice: {device: Cirrus}, margin: 0.02, rationale: hard device}
negative_flips: {ceiling: 0.10, rationale: agreed on}
descriptive_slices: [device, aetiology]
"""
FAULTS = {
    "misspelt_metric": r":5: .*unknown metric 'sensitivty'; did you mean 'sensitivity'\?",
    "misspelt_key": r":5: .*unknown key 'flor'; did you mean 'floor'\?",
    "misspelt_leakage": r":2: .*unknown leakage 'stpo'; did you mean 'stop'\?",
    "no_floor_and_no_margin": r":5: .*wanted a floor, a margin, or both",
    "no_rationale": r":5: .*key 'rationale' is missing",
    "no_checks": r":4: checks",
    "floor_not_a_number": r":7: got .nan, wanted a number",
    "floor_above_one": r":7: .*got 80, wanted less than 1",
    "margin_negative": r":8: .*got -0.05, wanted more than 0",
    "margin_as_text": r':8: .*got "5 %", wanted number',
    "key_twice": r":8: key 'margin' stands twice",
    "slice_value_not_text": r":6: .*wanted 'overall', or one attribute",
    "slice_of_two_attributes": r":6: .*wanted 'overall', or one attribute",
    "alias": r":9: got alias",
    "not_yaml": r":5: not valid YAML",
    "check_twice": r":10: sensitivity\[overall\] stands twice",
    "method_of_another_metric": r":9: got method 'wilson' for auc, wanted delong",
    "empty": "wanted object",
}


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(COMPLETE)
    return tmp_path / "policy.yaml"


def test_a_complete_policy_is_read_whole(complete: Path) -> None:
    policy = load_policy(complete)
    overall, device = policy.checks
    assert (policy.alpha, policy.leakage, policy.planned_looks) == (0.05, "report", 200)
    assert (overall.name, overall.floor, overall.margin) == ("sensitivity[overall]", 0.80, 0.05)
    assert overall.slice == {} and overall.method == "wilson"
    assert device.name == "auc[device=Cirrus]" and device.method == "delong"
    assert policy.negative_flips is not None and policy.negative_flips.ceiling == 0.10
    assert policy.descriptive_slices == ("device", "aetiology")


def test_alpha_is_one_sided_two_and_a_half_percent_unless_said(complete: Path) -> None:
    complete.write_text(COMPLETE.replace("alpha: 0.05\n", ""))
    assert load_policy(complete).alpha == 0.025


def test_hash_is_over_the_bytes(complete: Path) -> None:
    assert load_policy(complete).sha256 == hashlib.sha256(COMPLETE.encode()).hexdigest()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_policy_is_one_line_with_file_and_line(fault: str) -> None:
    with pytest.raises(PolicyError, match=FAULTS[fault]) as caught:
        load_policy(BROKEN / f"{fault}.yaml")
    assert f"{fault}.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_every_broken_policy_is_tried() -> None:
    assert {path.stem for path in BROKEN.glob("*.yaml")} == set(FAULTS)


def test_an_absent_policy_is_a_policy_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        load_policy(tmp_path / "absent.yaml")
