import hashlib
from pathlib import Path

import pytest

from components.gate.policy import load_policy
from components.records.errors import PolicyError

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
    paired_method: newcombe
    rationale: agreed on
  - metric: auc
    slice: {device: Cirrus}
    margin: {golden: 0.02}
    alpha: 0.01
    role: supporting
    rationale: hard device
  - {metric: brier, slice: overall, ceiling: 0.1, rationale: agreed on}
patients: aggregated
expected_discordance: 0.02
negative_flips: {ceiling: 0.10, rationale: agreed on}
sentinels: {at_least: 3, rationale: agreed on}
latency: {p95_ms: 40, rationale: agreed on}
coverage: {attributes: [device], at_least: 50, rationale: agreed on}
descriptive_slices: [device, aetiology]
"""
FAULTS = {
    "misspelt_metric": r":5: .*unknown metric 'sensitivty'; did you mean 'sensitivity'\?",
    "misspelt_key": r":5: .*unknown key 'flor'; did you mean 'floor'\?",
    "misspelt_leakage": r":2: .*unknown leakage 'stpo'; did you mean 'stop'\?",
    "no_floor_and_no_margin": r":5: .*wanted a floor, a ceiling or a margin",
    "no_rationale": r":5: .*key 'rationale' is missing",
    "no_checks": r":4: checks",
    "floor_not_a_number": r":7: got .nan, wanted a number",
    "floor_above_one": r":7: .*got 80, wanted less than 1",
    "margin_negative": r":8: .*got -0.05, wanted a number between 0 and 1",
    "margin_as_text": r':8: .*got "5 %", wanted a number between 0 and 1',
    "key_twice": r":8: key 'margin' stands twice",
    "slice_value_not_text": r":6: .*wanted 'overall', or one attribute",
    "slice_of_two_attributes": r":6: .*wanted 'overall', or one attribute",
    "alias": r":9: got alias",
    "not_yaml": r":5: not valid YAML",
    "check_twice": r":10: sensitivity\[overall\] stands twice",
    "method_of_another_metric": r":9: got method 'wilson' for auc, wanted delong",
    "empty": "wanted object",
    "ceiling_of_sensitivity": r":7: got a ceiling for sensitivity, which is better when higher",
    "floor_of_brier": r":7: got a floor for brier, which is better when lower; wanted a ceiling",
    "margin_of_unknown_baseline": r":7: .*wanted a number between 0 and 1, or one each",
    "misspelt_role": r":7: .*unknown role 'suporting'; did you mean 'supporting'\?",
    "misspelt_patients": r":4: .*unknown patients 'cluster'; did you mean 'clustered'\?",
    "paired_method_of_another_metric": r":8: got paired_method 'tango' for auc, wanted delong",
}


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(COMPLETE)
    return tmp_path / "policy.yaml"


def test_a_complete_policy_is_read_whole(complete: Path) -> None:
    policy = load_policy(complete)
    overall, device, brier = policy.checks
    assert (policy.alpha, policy.leakage, policy.planned_looks) == (0.05, "report", 200)
    assert (overall.name, overall.limit) == ("sensitivity[overall]", 0.80)
    assert overall.margins == {"champion": 0.05, "golden": 0.05} and overall.alpha == 0.05
    assert overall.slice == {} and overall.method == "wilson"
    assert device.name == "auc[device=Cirrus]" and device.method == "delong"
    assert device.margins == {"golden": 0.02} and device.alpha == 0.01
    assert (overall.role, device.role) == ("gate", "supporting")
    assert overall.paired_method == "newcombe" and device.limit is None
    assert brier.limit == 0.1 and brier.limit_rule == "ceiling" and brier.margins == {}
    assert policy.patients == "aggregated" and policy.expected_discordance == 0.02
    assert policy.sentinels is not None and policy.sentinels.at_least == 3
    assert policy.latency is not None and policy.latency.p95_ms == 40
    assert policy.coverage is not None and policy.coverage.attributes == ("device",)
    assert policy.coverage.at_least == 50
    assert policy.negative_flips is not None and policy.negative_flips.ceiling == 0.10
    assert policy.descriptive_slices == ("device", "aetiology")


def test_alpha_is_one_sided_two_and_a_half_percent_unless_said(complete: Path) -> None:
    complete.write_text(COMPLETE.replace("alpha: 0.05\n", ""))
    assert load_policy(complete).alpha == 0.025


def test_images_of_a_patient_are_corrected_for_unless_said(complete: Path) -> None:
    complete.write_text(COMPLETE.replace("patients: aggregated\n", ""))
    assert load_policy(complete).patients == "clustered"


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
