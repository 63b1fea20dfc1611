"""The pre-flight agrees with the gate: what it calls possible passes, one more loss does not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from components.baselines.case_set import CaseSet, lock_cases
from components.decision import Verdict
from components.gate.policy import ExportRule, Policy, Sentinels
from components.gate.preflight import CheckOutlook, preflight, refuse_hopeless
from components.records.errors import PolicyError
from components.statistics.power import most_wrong
from tests.components.gate.test_decide import judged, result
from tests.components.gate.test_exports import artefact
from tests.components.planting import check, locked, policy, scored, seen_case
from tests.refusing import refused


def outlook(rules: Policy, case_set: CaseSet, name: str) -> CheckOutlook:
    return next(found for found in preflight(rules, case_set) if found.check == name)


SPECIFICITY = "specificity[overall].non_inferiority.golden"


# PneumoniaMNIST's published test split has 234 negatives.
@pytest.mark.parametrize(
    "margin, lost", [(0.02, 0), (0.03, 1), (0.05, 5), (0.15, 24), (0.01, None)]
)
def test_the_losses_that_234_negatives_tolerate(margin: float, lost: int | None) -> None:
    found = outlook(policy(check("specificity", margin=margin)), locked(390, 234), SPECIFICITY)
    assert (found.n, found.kind, found.tolerates) == (234, "negative cases", lost)
    assert found.possible is (lost is not None)


@pytest.mark.parametrize("method, alpha", [("tango", 0.025), ("tango", 0.05), ("newcombe", 0.025)])
@pytest.mark.parametrize("margin", [0.03, 0.05, 0.1])
def test_the_gate_passes_what_is_tolerated_and_not_one_more(
    margin: float, method: str, alpha: float
) -> None:
    asked = check("specificity", margin=margin, alpha=alpha)
    cases, rules = locked(100, 150), policy(replace(asked, paired_method=method))
    most = outlook(rules, cases, SPECIFICITY).tolerates
    assert most is not None

    def verdict(lost: int) -> Verdict:
        losing = scored(cases, wrong=range(100, 100 + lost))
        return result(judged(losing, rules=rules, case_set=cases), SPECIFICITY).verdict

    assert verdict(most) is Verdict.PASS and verdict(most + 1) is not Verdict.PASS


@pytest.mark.parametrize("floor", [0.8, 0.9, 0.95])
def test_the_gate_passes_as_many_wrong_as_a_floor_tolerates(floor: float) -> None:
    cases, rules = locked(120, 40), policy(check("sensitivity", floor=floor))
    most = outlook(rules, cases, "sensitivity[overall].floor").tolerates
    assert most is not None

    def verdict(wrong: int) -> Verdict:
        decision = judged(scored(cases, wrong=range(wrong)), rules=rules, case_set=cases)
        return result(decision, "sensitivity[overall].floor").verdict

    assert verdict(most) is Verdict.PASS and verdict(most + 1) is not Verdict.PASS


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1])
def test_the_fewest_cases_are_enough_and_one_fewer_are_not(margin: float) -> None:
    rules = policy(check("specificity", margin=margin))
    fewest = outlook(rules, locked(5, 50), SPECIFICITY).fewest
    assert fewest is not None
    assert outlook(rules, locked(5, fewest), SPECIFICITY).possible is True
    assert outlook(rules, locked(5, fewest - 1), SPECIFICITY).possible is False


def test_a_hopeless_check_is_refused_with_what_it_has_and_needs() -> None:
    rules = policy(check("sensitivity", floor=0.5), check("specificity", margin=0.01))
    hopeless = "specificity[overall].non_inferiority.champion"
    facts = ("planted", "234 negative", "a margin of 0.01", "unchanged", "381", "wider", "1 more")
    with refused(PolicyError, hopeless, *facts) as caught:
        refuse_hopeless(rules, locked(390, 234))
    assert " in overall" not in str(caught.value) and " worth " not in str(caught.value)


def test_a_floor_that_a_perfect_model_cannot_prove_is_refused() -> None:
    rules = policy(check("sensitivity", floor=0.9))
    facts = ("30 positive", "a floor of 0.9", "always right", "wanted 36: ", "lower")
    with refused(PolicyError, "sensitivity[overall].floor", *facts) as caught:
        refuse_hopeless(rules, locked(30, 200))
    assert "add cases or set a lower floor: 0.88 can be proven" in str(caught.value)
    refuse_hopeless(rules, locked(36, 200))


def test_images_of_one_patient_are_refused_for_what_they_are_worth() -> None:
    rules = policy(check("sensitivity", floor=0.9), patients="clustered")
    with refused(PolicyError, "60 positive cases", "worth 30"):
        refuse_hopeless(rules, same_patient([i // 2 for i in range(60)]))


def test_a_limit_that_no_number_of_cases_proves_says_no_number() -> None:
    rules = policy(check("sensitivity", margin=0.0))
    with refused(PolicyError, "a margin of 0 ") as caught:
        refuse_hopeless(rules, locked(50, 50))
    assert "wanted" not in str(caught.value) and "; add cases" in str(caught.value)


def test_what_a_floor_tolerates_follows_the_method_of_its_check() -> None:
    asked = check("sensitivity", floor=0.9)
    exact, score = (
        outlook(policy(replace(asked, method=method)), locked(99, 20), f"{asked.name}.floor")
        for method in ("clopper_pearson", "wilson")
    )
    assert exact.tolerates == most_wrong(99, 0.9)
    assert score.tolerates == most_wrong(99, 0.9, method="wilson") != exact.tolerates
    # 0.025 ** (1 / 36) is above 0.9, and so is 35 / (35 + 1.96 ** 2).
    assert (exact.fewest, score.fewest) == (36, 35)


@pytest.mark.parametrize("patients", ["independent", "clustered"])
def test_a_floor_that_one_right_case_proves_tolerates_all_others(patients: str) -> None:
    rules = policy(check("sensitivity", floor=1e-6), patients=patients)
    (found,) = preflight(rules, same_patient(range(20)))
    assert found.tolerates == 19


def test_a_slice_without_cases_can_never_pass() -> None:
    rules = policy(check("sensitivity", floor=0.5, device="Cirrus"))
    for patients in ("independent", "clustered", "aggregated"):
        with refused(PolicyError, "0 positive", "device=Cirrus"):
            refuse_hopeless(replace(rules, patients=patients), locked(50, 50))


@pytest.mark.parametrize("metric", ["auc", "brier", "ece"])
def test_what_depends_on_scores_is_not_guessed(metric: str) -> None:
    limit = {"floor": 0.9} if metric == "auc" else {"ceiling": 0.1}
    found = preflight(policy(check(metric, margin=0.05, **limit)), locked(20, 20))
    assert len(found) == 3
    for one in found:
        assert (one.possible, one.tolerates, one.fewest, one.n) == (None, None, None, 40)
        assert not one.hopeless


def test_an_auc_needs_two_of_each_class() -> None:
    rules = policy(check("auc", floor=0.9))
    refuse_hopeless(rules, locked(2, 2))
    with refused(PolicyError, "auc[overall].floor", "21 cases", "2 of each"):
        refuse_hopeless(rules, locked(1, 20))


def test_a_supporting_check_that_can_never_pass_stops_nothing() -> None:
    rules = policy(check("sensitivity", floor=0.99, role="supporting"))
    (found,) = preflight(rules, locked(30, 30))
    assert found.possible is False and not found.hopeless
    refuse_hopeless(rules, locked(30, 30))


def same_patient(patients: Sequence[int]) -> CaseSet:
    """All positive but the last 40; the n-th case belongs to the n-th of `patients`."""
    labels = [1] * len(patients) + [0] * 40
    owners = [*patients, *range(10_000, 10_040)]
    return lock_cases(
        [
            replace(seen_case(i, label), patient_id=f"p{owner}")
            for i, (label, owner) in enumerate(zip(labels, owners))
        ],
        name="planted",
        author="A. Radiologist",
        reason="test",
        date="2025-03-31",
        source="planted",
    )


def test_patients_are_counted_where_the_policy_aggregates_to_them() -> None:
    cases = same_patient([i // 2 for i in range(120)])
    rules = policy(check("sensitivity", floor=0.9), patients="aggregated")
    (found,) = preflight(rules, cases)
    assert (found.n, found.worth, found.kind) == (60, 60.0, "positive patients")


def test_two_images_of_each_patient_are_worth_one() -> None:
    cases = same_patient([i // 2 for i in range(120)])
    (alone,) = preflight(policy(check("sensitivity", floor=0.8)), cases)
    (found,) = preflight(policy(check("sensitivity", floor=0.8), patients="clustered"), cases)
    assert (found.n, found.kind) == (120, "positive cases")
    assert found.worth == pytest.approx(60) and alone.worth == 120
    assert found.tolerates is not None and alone.tolerates is not None
    assert found.tolerates < alone.tolerates
    assert found.fewest is not None and alone.fewest is not None
    assert found.fewest == alone.fewest


@pytest.mark.parametrize("rule, limit", [("floor", 0.85), ("margin", 0.15)])
@pytest.mark.parametrize("per_patient", [1, 2, 3])
def test_the_gate_passes_as_many_whole_patients_and_not_one_more(
    rule: str, limit: float, per_patient: int
) -> None:
    cases = same_patient([i // per_patient for i in range(300)])
    rules = policy(check("sensitivity", **{rule: limit}), patients="clustered")
    found = preflight(rules, cases)[-1]
    assert found.tolerates is not None and found.tolerates % per_patient == 0

    def verdict(wrong: int) -> Verdict:
        decision = judged(scored(cases, wrong=range(wrong)), rules=rules, case_set=cases)
        return result(decision, found.check).verdict

    assert verdict(found.tolerates) is Verdict.PASS
    assert verdict(found.tolerates + per_patient) is not Verdict.PASS


def test_patients_with_many_images_are_lost_first() -> None:
    mixed = same_patient([*[0] * 30, *range(1, 271)])
    alone = same_patient(range(300))
    rules = policy(check("sensitivity", margin=0.2), patients="clustered")
    found, other = preflight(rules, mixed)[0], preflight(rules, alone)[0]
    assert found.worth < 100 and found.tolerates is not None and other.tolerates is not None
    assert found.tolerates < other.tolerates


def test_what_is_tolerated_is_the_patients_with_the_most_images() -> None:
    # 20 patients with 1 image, 20 with 3, 20 with 2, ...: those with 3 are neither first nor last.
    images = [1] * 100 + [3] * 20 + [2] * 20
    owners = [owner for owner, count in enumerate(images) for _ in range(count)]
    cases = same_patient(owners)
    rules = policy(check("sensitivity", floor=0.8), patients="clustered")
    (found,) = preflight(rules, cases)

    def verdict(patients: int) -> Verdict:
        wrong = [i for i, owner in enumerate(owners) if 100 <= owner < 100 + patients]
        decision = judged(scored(cases, wrong=wrong), rules=rules, case_set=cases)
        return result(decision, found.check).verdict

    most = (found.tolerates or 0) // 3
    assert found.tolerates == 3 * most and 0 < most < 20
    assert verdict(most) is Verdict.PASS and verdict(most + 1) is not Verdict.PASS


@pytest.mark.parametrize("patients", ["independent", "clustered", "aggregated"])
@pytest.mark.parametrize("n", [20, 40, 60, 80, 160])
def test_possible_is_what_the_gate_says_of_an_unchanged_model(patients: str, n: int) -> None:
    cases = same_patient([i // 2 for i in range(n)])
    rules = policy(check("sensitivity", floor=0.9, margin=0.1), patients=patients)
    decision = judged(scored(cases), rules=rules, case_set=cases)
    for found in preflight(rules, cases):
        passed = result(decision, found.check).verdict is Verdict.PASS
        assert found.possible is passed, found


@pytest.mark.parametrize("ceiling, most", [(0.0, 0), (0.01, 1), (0.0199, 1), (0.02, 2), (0.07, 7)])
def test_the_flips_that_a_ceiling_tolerates(ceiling: float, most: int) -> None:
    rules = policy(check("sensitivity", floor=0.5), ceiling=ceiling)
    found = outlook(rules, locked(50, 50), "negative_flips.champion")
    assert (found.tolerates, found.possible, found.n) == (most, True, 100)


@pytest.mark.parametrize("cases, possible, tolerates", [(0, False, None), (1, True, 0)])
def test_flips_need_one_case_to_be_judged(
    cases: int, possible: bool, tolerates: int | None
) -> None:
    rules = policy(check("sensitivity", floor=0.5), ceiling=0.02)
    case_set = locked(0, 1)
    case_set = replace(case_set, cases=case_set.cases[:cases])
    found = outlook(rules, case_set, "negative_flips.golden")
    assert (found.possible, found.tolerates, found.fewest) == (possible, tolerates, 1)


def test_too_few_sentinels_can_never_pass() -> None:
    rules = replace(policy(check("sensitivity", floor=0.5)), sentinels=Sentinels(3, "planted"))
    refuse_hopeless(rules, locked(50, 50, sentinels=[1, 2, 3]))
    with refused(PolicyError, "sentinels.marked", "2 never-miss", "at least 3"):
        refuse_hopeless(rules, locked(50, 50, sentinels=[1, 2]))


@pytest.mark.parametrize("n", [122, 200, 400])
def test_the_gate_passes_an_artefact_with_as_many_calls_otherwise_and_not_one_more(n: int) -> None:
    case_set, rule = locked(n // 2, n // 2), ExportRule(("tflite",), difference=0.9)
    rules = replace(policy(check("auc", floor=0.3)), exports={"tflite_int8": rule})
    found = outlook(rules, case_set, "exports[tflite_int8].agreement")
    assert (found.n, found.role, found.fewest, found.possible) == (n, "supporting", 122, True)
    assert found.tolerates is not None
    for wrong, verdict in ((found.tolerates, True), (found.tolerates + 1, False)):
        given = artefact(runtimes={"tflite": scored(case_set, wrong=range(wrong))})
        decision = judged(
            scored(case_set), rules=rules, case_set=case_set, exports={"tflite_int8": given}
        )
        assert (decision.exports[0].verdict is Verdict.PASS) is verdict


def test_an_agreement_that_the_cases_cannot_prove_stops_only_where_it_is_required() -> None:
    rules, few = policy(check("sensitivity", floor=0.5)), locked(60, 60)
    refuse_hopeless(replace(rules, exports={"tfjs": ExportRule(("node_wasm",))}), few)
    required = replace(rules, exports={"tfjs": ExportRule(("node_wasm",), required=True)})
    with refused(PolicyError, "exports[tfjs].agreement", "120", "0.97", "122"):
        refuse_hopeless(required, few)


def test_a_margin_against_one_baseline_has_one_outlook() -> None:
    found = preflight(policy(check("sensitivity", margin={"golden": 0.1})), locked(50, 50))
    assert [one.against for one in found] == ["golden"]


def test_each_outlook_states_what_its_rule_judges_and_by_what() -> None:
    rules = policy(
        check("sensitivity", floor=0.9, margin={"golden": 0.05}, alpha=0.05, device="Aster"),
        check("auc", floor=0.9, role="supporting"),
        ceiling=0.1,
    )
    rules = replace(rules, sentinels=Sentinels(2, "agreed on"))
    cases = locked(100, 60, sentinels=[1, 2, 150])
    common = {"metric": "sensitivity", "slice": "device=Aster", "role": "gate", "alpha": 0.05}
    counted = {"n": 50, "worth": 50.0, "kind": "positive cases", **common}
    whole = {"n": 160, "worth": 160.0, "kind": "cases"}
    none = {"alpha": None, "metric": None, "slice": None, "method": None, "role": "gate"}
    assert [vars(each) for each in preflight(rules, cases)] == [
        {
            "check": "sensitivity[device=Aster].floor",
            "rule": "floor",
            "against": "none",
            "limit": 0.9,
            "method": "clopper_pearson",
            "possible": True,
            "tolerates": 1,
            "fewest": 29,  # 0.05 ** (1 / 29) is above 0.9
            **counted,
        },
        {
            "check": "sensitivity[device=Aster].non_inferiority.golden",
            "rule": "non_inferiority",
            "against": "golden",
            "limit": 0.05,
            "method": "tango",
            "possible": False,
            "tolerates": None,
            "fewest": 52,  # above z * z * 0.95 / 0.05
            **counted,
        },
        {
            "check": "auc[overall].floor",
            "rule": "floor",
            "metric": "auc",
            "slice": "overall",
            "against": "none",
            "role": "supporting",
            "limit": 0.9,
            "alpha": 0.025,
            "method": "delong",
            "possible": None,
            "tolerates": None,
            "fewest": None,
            **whole,
        },
        *(
            {
                "check": f"negative_flips.{name}",
                "rule": "negative_flips",
                "against": name,
                "limit": 0.1,
                "possible": True,
                "tolerates": 16,
                "fewest": 1,
                **whole,
                **none,
            }
            for name in ("champion", "golden")
        ),
        {
            "check": "sentinels.marked",
            "rule": "sentinel",
            "against": "none",
            "n": 3,
            "worth": 3.0,
            "kind": "never-miss cases",
            "limit": 2.0,
            "possible": True,
            "tolerates": None,
            "fewest": 2,
            **none,
        },
    ]
