from dataclasses import replace

import numpy as np
import pytest

from components.decision import Decision, Verdict
from components.gate import rules, self_test
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Check, Policy
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
    assert all(test.passed and test.got == test.wanted for test in decision.self_tests)
    assert decision.verdict is Verdict.PASS


@pytest.mark.parametrize(
    "verdict, name, got",
    [
        (
            Verdict.PASS,
            "sensitivity[overall] of a degraded copy",
            "PASS: sensitivity[overall].non_inferiority.champion, "
            "sensitivity[overall].non_inferiority.golden",
        ),
        (
            Verdict.INCONCLUSIVE,
            "golden against itself",
            "inferior: sensitivity[overall].non_inferiority.golden",
        ),
    ],
)
def test_a_broken_gate_names_the_checks_that_answered_wrongly(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, name: str, got: str
) -> None:
    monkeypatch.setattr(rules, "margin_verdict", lambda *bounds: verdict)
    decision = judged(rules=policy(check(margin=0.05)))
    (test,) = [test for test in decision.self_tests if test.name == name]
    assert (test.got, test.passed) == (got, False)


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


@pytest.mark.parametrize("metric, negatives", [("sensitivity", 40), ("auc", 73)])
def test_with_just_enough_cases_a_comparison_that_never_decides_is_found(
    monkeypatch: pytest.MonkeyPatch, metric: str, negatives: int
) -> None:
    monkeypatch.setattr(rules, "margin_verdict", lambda *bounds: Verdict.INCONCLUSIVE)
    asked = policy(check(metric, margin=0.05))
    assert is_broken(judged(rules=asked, case_set=locked(73, negatives)))


Z = normal_quantile(0.025)


@pytest.mark.parametrize("margin", [Z * Z / (100 + Z * Z), 0.0])
def test_a_margin_up_to_tangos_bound_is_inconclusive_and_not_a_broken_gate(margin: float) -> None:
    decision = judged(rules=policy(check(margin=margin)), case_set=locked(100, 40))
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


# Twenty positives of ten patients, the last of whom has two negatives too, and forty others.
def of_patients(patients: str) -> tuple[JudgedCases, Outputs, Policy]:
    case_set = same_patient([i // 2 for i in range(20)])
    own = {f"case-{i:04d}": "p9" for i in (20, 21)}
    case_set = replace(
        case_set,
        cases=tuple(
            replace(case, patient_id=own.get(case.case_id, case.patient_id))
            for case in case_set.cases
        ),
    )
    cases = JudgedCases(case_set)
    model = Outputs(cases.labels, scored(case_set).scores, 0.5)
    return cases, model, policy(check(), patients=patients)


@pytest.mark.parametrize(
    "metric, patients, turned",
    [
        ("sensitivity", "clustered", [17, 18, 19]),
        ("sensitivity", "independent", [17, 18, 19]),
        # A patient is positive where one image is, and all of its images turn.
        ("sensitivity", "aggregated", [16, 17, 18, 19, 20, 21]),
        ("specificity", "clustered", list(range(54, 60))),
        ("specificity", "aggregated", list(range(54, 60))),
    ],
)
def test_a_degraded_copy_loses_images_or_patients_as_the_policy_says(
    metric: str, patients: str, turned: list[int]
) -> None:
    cases, model, rules = of_patients(patients)
    copy = self_test._lowered(check(metric), rules, cases, model, 0.85)
    assert np.flatnonzero(copy.scores != model.scores).tolist() == turned
    called = copy.scores[turned] >= copy.operating_point
    assert called.tolist() == [metric == "specificity"] * len(turned)


def test_a_degraded_copy_is_lowered_within_its_slice_alone() -> None:
    cases = JudgedCases(locked(20, 20))
    model = Outputs(cases.labels, scored(locked(20, 20)).scores, 0.5)
    for metric, places in (("sensitivity", range(1, 20, 2)), ("auc", range(1, 40, 2))):
        copy = self_test._lowered(check(metric, device="Aster"), MARGIN, cases, model, -0.1)
        assert np.flatnonzero(copy.scores != model.scores).tolist() == list(places)
    assert set(copy.scores[1:20:2]) == {0.0} and set(copy.scores[21:40:2]) == {1.0}


@pytest.mark.parametrize(
    "asked, champion, golden, rivals, target",
    [
        (check(floor=0.8, margin=0.1), 0.95, 0.85, ["champion", "golden"], 0.75),
        (check(floor=0.7, margin=0.1), 0.95, 0.85, ["champion", "golden"], 0.7),
        (check(margin=0.25), 0.25, 0.75, ["golden"], 0.5),
        (check(margin=0.25), 0.25, 0.125, [], None),
        (check("brier", ceiling=0.5, margin=0.25), 0.125, 0.5, ["champion", "golden"], 0.75),
        (check("brier", ceiling=0.5, margin=0.25), 0.125, 0.75, ["champion"], 0.5),
        (check("brier", ceiling=1.0, margin=0.25), 0.125, 0.5, ["champion", "golden"], None),
        (check("brier", margin=0.25), 0.75, 0.875, [], None),
    ],
)
def test_a_copy_is_as_bad_as_every_rule_forbids_and_no_worse_than_can_be(
    asked: Check, champion: float, golden: float, rivals: list[str], target: float | None
) -> None:
    found = self_test._forbidden(asked, {"champion": champion, "golden": golden})
    assert found == (rivals, target and pytest.approx(target))


def test_what_stands_behind_a_check_of_no_change() -> None:
    cases, _, _ = of_patients("clustered")
    for metric, patients, pairs in [
        ("sensitivity", "independent", 20),
        ("sensitivity", "aggregated", 10),
        ("sensitivity", "clustered", 10),  # two images of each patient: worth one
        ("specificity", "independent", 40),
        ("specificity", "aggregated", 39),
        ("specificity", "clustered", pytest.approx(40**2 / (38 + 4))),
        ("auc", "independent", 20),
        ("brier", "aggregated", 10),
    ]:
        assert self_test._pairs(check(metric), policy(patients=patients), cases) == pairs
    nowhere = check(device="Cirrus")
    assert self_test._pairs(nowhere, policy(patients="clustered"), cases) == 0


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
