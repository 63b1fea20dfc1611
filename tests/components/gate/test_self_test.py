from dataclasses import replace

import pytest

from components.decision import Decision, Verdict
from components.gate import rules, self_test
from components.gate.judged_cases import JudgedCases
from components.metrics import METRICS, Outputs
from components.metrics.outputs import Estimate
from components.statistics import paired
from components.statistics.intervals import normal_quantile
from tests.components.gate.test_decide import CASES, MARGIN, judged
from tests.components.gate.test_preflight import same_patient
from tests.components.planting import check, locked, policy, scored

EVERY_RULE = policy(
    check("sensitivity", floor=0.8, margin=0.05),
    check("specificity", floor=0.8, margin=0.05, device="Aster"),
    check("auc", floor=0.8, margin=0.05),
    check("brier", ceiling=0.5, margin=0.05),
    check("ece", ceiling=0.5, margin=0.05),
    ceiling=0.1,
)


def is_broken(decision: Decision) -> bool:
    named = [check for check in decision.checks if check.rule == "self_test"]
    assert all("gate broken" in check.reason for check in named)
    return (decision.verdict, decision.exit_code) == (Verdict.FAIL, 70) and bool(named)


def test_every_rule_and_baseline_is_tried_and_holds() -> None:
    decision = judged(rules=EVERY_RULE)
    assert [test.name for test in decision.self_tests] == [
        "sensitivity[overall] of a degraded copy",
        "specificity[device=Aster] of a degraded copy",
        "auc[overall] of a degraded copy",
        "brier[overall] of a degraded copy",
        "ece[overall] of a degraded copy",
        "champion against itself",
        "golden against itself",
    ]
    assert all(test.passed for test in decision.self_tests)
    assert decision.verdict is Verdict.PASS


@pytest.mark.parametrize("name", ["margin_verdict", "floor_verdict"])
@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_a_comparison_with_one_answer_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, verdict: Verdict
) -> None:
    monkeypatch.setattr(rules, name, lambda *bounds: verdict)
    decision = judged(rules=EVERY_RULE)
    # A floor that always fails blocks every model, so no self-test has to find it.
    if (name, verdict) == ("floor_verdict", Verdict.FAIL):
        assert decision.verdict is Verdict.FAIL
    else:
        assert is_broken(decision)


def test_a_comparison_that_never_decides_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "margin_verdict", lambda *bounds: Verdict.INCONCLUSIVE)
    assert is_broken(judged(rules=EVERY_RULE))


def test_a_difference_with_its_sign_turned_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = METRICS["sensitivity"].change

    def turned(candidate: Outputs, baseline: Outputs, *, alpha: float, method: str) -> Estimate:
        return right(baseline, candidate, alpha=alpha, method=method)

    monkeypatch.setitem(METRICS, "sensitivity", replace(METRICS["sensitivity"], change=turned))
    assert is_broken(judged(rules=EVERY_RULE))


def test_a_bound_that_is_too_wide_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "_lower_bound", lambda *counts: -1.0)
    assert is_broken(judged(rules=EVERY_RULE))


@pytest.mark.parametrize("positives", [1, 2, 5, 30, 72, 73, 74])
def test_few_cases_are_inconclusive_and_not_a_broken_gate(positives: int) -> None:
    # Tango needs 73 cases before a model is non-inferior to itself by less than 0.05.
    case_set = locked(positives, positives)
    decision = judged(rules=policy(check(margin=0.05)), case_set=case_set)
    assert all(test.passed for test in decision.self_tests)
    assert decision.verdict is (Verdict.PASS if positives >= 73 else Verdict.INCONCLUSIVE)


def test_with_just_enough_cases_a_comparison_that_never_decides_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "margin_verdict", lambda *bounds: Verdict.INCONCLUSIVE)
    assert is_broken(judged(rules=policy(check(margin=0.05)), case_set=locked(73, 40)))


def test_a_margin_equal_to_tangos_bound_is_inconclusive_and_not_a_broken_gate() -> None:
    z = normal_quantile(0.025)
    rules = policy(check(margin=z * z / (100 + z * z)))
    decision = judged(rules=rules, case_set=locked(100, 40))
    assert all(test.passed for test in decision.self_tests)
    assert decision.verdict is Verdict.INCONCLUSIVE


# One patient with 30 images and 99 with one: by Kish 129^2 / (30^2 + 99) = 17 independent cases,
# of the 73 that Tango needs.
MOSTLY_ONE_PATIENT = same_patient([*[0] * 30, *range(1, 100)])


@pytest.mark.parametrize(
    "patients, verdict", [("clustered", Verdict.INCONCLUSIVE), ("aggregated", Verdict.PASS)]
)
def test_a_patient_with_many_images_counts_as_the_policy_says(
    patients: str, verdict: Verdict
) -> None:
    rules = policy(check(margin=0.05), patients=patients)
    decision = judged(rules=rules, case_set=MOSTLY_ONE_PATIENT)
    assert all(test.passed for test in decision.self_tests)
    assert decision.verdict is verdict


def test_a_comparison_of_patients_that_never_decides_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "margin_verdict", lambda *bounds: Verdict.INCONCLUSIVE)
    by_patient = policy(check(margin=0.05), patients="aggregated")
    assert is_broken(judged(rules=by_patient, case_set=MOSTLY_ONE_PATIENT))


@pytest.mark.parametrize("wrong", [range(200), range(195), range(0, 400, 2), range(400)])
def test_bad_models_do_not_look_like_a_broken_gate(wrong: range) -> None:
    case_set = locked(200, 200)
    decision = judged(scored(case_set, wrong=wrong), rules=EVERY_RULE, champion=wrong, golden=wrong)
    assert all(test.passed for test in decision.self_tests)
    assert decision.verdict is not Verdict.PASS and decision.exit_code != 70


def test_the_degraded_copy_lost_what_the_rule_forbids_and_no_more() -> None:
    case_set = locked(200, 200)
    cases = JudgedCases(case_set)
    model = Outputs(cases.labels, scored(case_set).scores, 0.5)
    copy = self_test._lowered(check("sensitivity", margin=0.05), MARGIN, cases, model, 0.95)
    assert (copy.right[:200].sum(), copy.right[200:].sum()) == (190, 200)


@pytest.mark.parametrize("patients", ["clustered", "aggregated"])
@pytest.mark.parametrize("wrong", [range(0), range(0, 400, 3), range(400)])
def test_several_images_of_a_patient_break_no_self_test(patients: str, wrong: range) -> None:
    rules = replace(EVERY_RULE, patients=patients)
    decision = judged(scored(CASES, wrong=wrong), rules=rules, champion=wrong, golden=wrong)
    assert len(decision.self_tests) == 7 and all(test.passed for test in decision.self_tests)


@pytest.mark.parametrize("metric", ["brier", "ece"])
def test_a_rise_taken_for_a_fall_is_found(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(METRICS[metric], higher_is_better=True)
    rules = policy(check("sensitivity", floor=0.8), check(metric, ceiling=0.5, margin=0.05))
    monkeypatch.setitem(METRICS, metric, entry)
    assert is_broken(judged(rules=rules))
