import hashlib
from pathlib import Path

import pytest

from components.gate.policy import (
    AttentionMargin,
    ExportRule,
    SiteRule,
    StepTime,
    load_policy,
    slice_name,
)
from components.records.errors import PolicyError
from tests.refusing import refused

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
step_time: {p95_ms: 900, role: gate, rationale: agreed on}
agreement: {tolerance: 0.02, rationale: agreed on}
attention: {role: gate, margin: 0.05, rationale: agreed on}
coverage: {attributes: [device], at_least: 50, rationale: agreed on}
descriptive_slices: [device, aetiology]
"""
# The line, and what stands there, is wanted there or stands there by mistake.
FAULTS: dict[str, tuple[str, ...]] = {
    "misspelt_metric": (":5:", "checks[0].metric", "'sensitivty'", "'sensitivity'"),
    "misspelt_key": (":5:", "'flor'", "'floor'"),
    "misspelt_leakage": (":2:", "'stpo'", "'stop'"),
    "no_floor_and_no_margin": (":5:", "checks[0]:", "floor", "ceiling", "margin"),
    "no_rationale": (":5:", "checks[0]:", "'rationale'"),
    "no_checks": (":4:", "checks:", "[]"),
    "floor_not_a_number": (":7:", ".nan"),
    "floor_above_one": (":7:", "checks[0].floor", "80"),
    "margin_negative": (":8:", "checks[0].margin", "-0.05", "0 and 1"),
    "margin_as_text": (":8:", "checks[0].margin", '"5 %"', "0 and 1"),
    "key_twice": (":8:", "'margin'"),
    "slice_value_not_text": (":6:", "checks[0].slice", '{"site": 3}', "'overall'"),
    "slice_of_two_attributes": (":6:", "checks[0].slice", '"device": "Aster"', "'overall'"),
    "alias": (":9:", "'*before'"),
    "not_yaml": (":5:", "YAML", "'-'"),
    "check_twice": (":10:", "sensitivity[overall]"),
    "method_of_another_metric": (":9:", "'wilson'", "auc", "delong"),
    "empty": ("null", "object"),
    "ceiling_of_sensitivity": (
        ":7:",
        "a ceiling",
        "sensitivity, which is better when higher; wanted a floor",
    ),
    "floor_of_brier": (":7:", "a floor", "brier, which is better when lower; wanted a ceiling"),
    "margin_of_unknown_baseline": (":7:", "checks[0].margin", '"silver": 0.1', "golden"),
    "misspelt_role": (":7:", "'suporting'", "'supporting'"),
    "misspelt_patients": (":4:", "'cluster'", "'clustered'"),
    "paired_method_of_another_metric": (":8:", "paired_method", "'tango'", "auc", "delong"),
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
    assert policy.step_time == StepTime(900, "agreed on", "gate")
    assert policy.agreement is not None and policy.agreement.tolerance == 0.02
    assert policy.attention == AttentionMargin("gate", 0.05, "agreed on")
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


def test_what_a_policy_does_not_say_is_not_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "name: least\nleakage: stop\nplanned_looks: 1\nchecks:\n"
        "  - {metric: auc, slice: overall, floor: 0.8, rationale: agreed on}\n"
    )
    policy = load_policy(path)
    assert (policy.negative_flips, policy.sentinels, policy.latency) == (None, None, None)
    assert policy.agreement is None and policy.step_time is None
    assert (policy.attention.role, policy.attention.margin) == ("supporting", 0.1)
    assert policy.coverage is None and policy.descriptive_slices == ()
    assert policy.expected_discordance == 0.04
    (only,) = policy.checks
    assert (only.role, only.alpha, only.margins) == ("gate", 0.025, {})
    assert (only.method, only.paired_method) == ("delong", "delong")


def test_a_slice_is_named_by_its_attributes_in_order() -> None:
    assert slice_name({"site": "north", "device": "Aster"}) == "device=Aster,site=north"
    assert slice_name({}) == "overall"


def test_hash_is_over_the_bytes(complete: Path) -> None:
    assert load_policy(complete).sha256 == hashlib.sha256(COMPLETE.encode()).hexdigest()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_policy_is_one_line_with_file_and_line(fault: str) -> None:
    with refused(PolicyError, BROKEN / f"{fault}.yaml", *FAULTS[fault]):
        load_policy(BROKEN / f"{fault}.yaml")


def test_every_broken_policy_is_tried() -> None:
    assert {path.stem for path in BROKEN.glob("*.yaml")} == set(FAULTS)


def test_an_absent_policy_is_a_policy_error(tmp_path: Path) -> None:
    with refused(PolicyError, tmp_path / "absent.yaml", "No such file"):
        load_policy(tmp_path / "absent.yaml")


def policy_with(tmp_path: Path, more: str):  # type: ignore[no-untyped-def]
    path = tmp_path / "policy.yaml"
    path.write_text(COMPLETE + more)
    return load_policy(path)


def test_a_policy_of_before_reports_near_duplicates_and_shortcuts(complete: Path) -> None:
    policy = load_policy(complete)
    assert (policy.near_duplicates, policy.shortcuts.action) == ("report", "report")
    assert policy.shortcuts.ignore == ("aetiology",)


def test_near_duplicates_and_shortcuts_are_as_the_policy_says(tmp_path: Path) -> None:
    policy = policy_with(
        tmp_path,
        "near_duplicates: stop\n"
        "shortcuts: {action: stop, effect: 0.3, ignore: [device], rationale: agreed on}\n",
    )
    shortcuts = policy.shortcuts
    assert policy.near_duplicates == "stop"
    assert (shortcuts.action, shortcuts.effect, shortcuts.alpha) == ("stop", 0.3, 0.01)
    assert shortcuts.ignore == ("device",)


@pytest.mark.parametrize(
    ("more", "facts"),
    [
        ("near_duplicates: stpo\n", ("near_duplicates", "'stop'")),
        ("near_duplicate: stop\n", ("'near_duplicates'",)),
        ("shortcuts: {action: stop}\n", ("shortcuts", "'rationale'")),
        ("shortcuts: {action: stop, effect: 1.5, rationale: x}\n", ("shortcuts.effect", "1.5")),
    ],
)
def test_a_wrong_word_of_these_is_named(tmp_path: Path, more: str, facts: tuple[str, ...]) -> None:
    with refused(PolicyError, *facts):
        policy_with(tmp_path, more)


LINES = COMPLETE.count("\n")
EXPORTS = """\
exports:
  tflite_int8:
    required: true
    agreement: 0.99
    checks:
      - {metric: auc, slice: overall, floor: 0.8, rationale: on a tablet}
    rationale: agreed on
  tfjs: {runtimes: [chromium_webgl], difference: 0.01, rationale: agreed on}
"""


def test_a_form_of_the_model_is_judged_as_the_policy_says_or_by_the_defaults(
    complete: Path,
) -> None:
    before = load_policy(complete)
    complete.write_text(COMPLETE + EXPORTS, encoding="utf-8")
    policy = load_policy(complete)
    int8, tfjs, left_out = map(policy.export_rule, ("tflite_int8", "tfjs", "tflite_float"))
    assert int8.checks is not None
    assert [check.name for check in int8.checks] == ["auc[overall]"]
    assert (int8.required, int8.agreement, int8.runtimes) == (True, 0.99, ("tflite",))
    assert (tfjs.runtimes, tfjs.difference, tfjs.checks) == (("chromium_webgl",), 0.01, None)
    assert left_out == before.export_rule("tflite_float") == ExportRule(("tflite",))
    assert before.export_rule("tfjs").runtimes == ("node_wasm", "chromium_wasm")
    assert policy.checks == before.checks


@pytest.mark.parametrize(
    "wrong, facts",
    [
        ("tflite_int8: {runtimes: [node_wasm], rationale: x}", (f":{LINES + 2}:", "node_wasm")),
        ("tflite_int4: {rationale: x}", ("tflite_int4", "tflite_int8")),
        ("tfjs: {agreement: 1.2, rationale: x}", ("exports.tfjs.agreement", "1.2")),
        ("tfjs: {required: true}", ("exports.tfjs", "rationale")),
        (
            "tfjs: {rationale: x, checks: [{metric: auc, slice: overall, ceiling: 0.1, "
            "rationale: x}]}",
            ("ceiling", "auc", "floor"),
        ),
    ],
)
def test_a_fault_in_exports_is_named(complete: Path, wrong: str, facts: tuple[str, ...]) -> None:
    complete.write_text(f"{COMPLETE}exports:\n  {wrong}\n", encoding="utf-8")
    with refused(PolicyError, complete, *facts):
        load_policy(complete)


KEY, OTHER = f"MCowBQYDK2VwAyEA{'A' * 43}=", f"MCowBQYDK2VwAyEA{'B' * 43}="


def test_sites_are_read_with_their_keys(tmp_path: Path) -> None:
    more = (
        f"sites:\n  north: {{key: {KEY}, rationale: agreed on}}\n"
        f"  south: {{key: {OTHER}, role: supporting, rationale: new}}\n"
    )
    assert policy_with(tmp_path, more).sites == {
        "north": SiteRule(KEY, "agreed on"),
        "south": SiteRule(OTHER, "new", "supporting"),
    }


@pytest.mark.parametrize(
    ("sites", "facts"),
    [
        (f"{{north: {{key: {KEY}}}}}", (f":{LINES + 1}:", "sites.north", "'rationale'")),
        ("{north: {key: keys/north.pub.pem, rationale: x}}", ("sites.north.key", "60 characters")),
        (f"{{../up: {{key: {KEY}, rationale: x}}}}", ("sites", '"../up"')),
        (f"{{north: {{key: {KEY}, role: of, rationale: x}}}}", ("sites.north.role", "'of'")),
        ("{}", ("sites",)),
        (
            f"{{north: {{key: {KEY}, rationale: x}}, south: {{key: {KEY}, rationale: x}}}}",
            ("sites.south has the key of sites.north",),
        ),
    ],
)
def test_a_site_that_could_be_taken_for_another_is_refused(
    tmp_path: Path, sites: str, facts: tuple[str, ...]
) -> None:
    with refused(PolicyError, *facts):
        policy_with(tmp_path, f"sites: {sites}\n")
