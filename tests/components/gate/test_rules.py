from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from components.baselines.case_set import lock_cases
from components.decision import Verdict, decision_from_json
from components.gate.policy import Coverage, Latency, Sentinels, StepTime
from components.gate.rules import floor_verdict, margin_verdict
from components.statistics.intervals import wilson
from tests.components.gate.test_decide import CASES, MARGIN, judged, result
from tests.components.planting import check, locked, policy, scored, seen_case


@pytest.mark.parametrize(
    "lower, upper, verdict",
    [
        (-0.049, 0.01, Verdict.PASS),
        (-0.05, 0.01, Verdict.INCONCLUSIVE),
        (-0.2, -0.05, Verdict.INCONCLUSIVE),
        (-0.2, -0.051, Verdict.FAIL),
    ],
)
def test_a_bound_equal_to_the_margin_is_neither_pass_nor_fail(
    lower: float, upper: float, verdict: Verdict
) -> None:
    assert margin_verdict(lower, upper, 0.05) is verdict


@pytest.mark.parametrize(
    "lower, upper, verdict",
    [
        (0.8, 0.9, Verdict.PASS),
        (0.799, 0.9, Verdict.INCONCLUSIVE),
        (0.7, 0.8, Verdict.INCONCLUSIVE),
        (0.7, 0.799, Verdict.FAIL),
    ],
)
def test_a_lower_bound_equal_to_the_floor_passes(
    lower: float, upper: float, verdict: Verdict
) -> None:
    assert floor_verdict(lower, upper, 0.8) is verdict


# Of 200 positives, by Tango.
@pytest.mark.parametrize(
    "lost, golden, reason",
    [
        (3, (), "the loss is at most 0.0432, less than the margin 0.05"),
        (0, range(30), "the loss is at most 0.0000, less than the margin 0.05"),
        (17, (), "the loss is at least 0.0537, more than the margin 0.05"),
    ],
)
def test_the_reason_of_a_margin_says_how_large_the_loss_is(
    lost: int, golden: Sequence[int], reason: str
) -> None:
    decision = judged(scored(CASES, wrong=range(lost)), golden=golden)
    assert result(decision, "sensitivity[overall].non_inferiority.golden").reason == reason


def test_a_floor_is_judged_by_the_method_of_its_check() -> None:
    rules = policy(replace(check("sensitivity", floor=0.9), method="wilson"))
    floor = result(
        judged(scored(CASES, wrong=range(10)), rules=rules), "sensitivity[overall].floor"
    )
    bounds = wilson(190, 200)
    assert (floor.method, floor.lower, floor.upper) == ("wilson", bounds.lower, bounds.upper)
    assert "Wilson" not in floor.reason


@pytest.mark.parametrize("judge", [floor_verdict, margin_verdict])
def test_nan_never_passes(judge: object) -> None:
    assert judge(float("nan"), float("nan"), 0.05) is not Verdict.PASS  # type: ignore[operator]


PROBABLE = policy(check("sensitivity", floor=0.5), check("brier", ceiling=0.2, margin=0.05))


def test_five_small_losses_in_a_row_pass_the_champion_and_stop_at_golden() -> None:
    rules = policy(check("sensitivity", margin=0.05))
    steps = [range(2 * step) for step in range(6)]
    released = [()]
    for champion, candidate in zip(steps, steps[1:]):
        decision = judged(scored(CASES, wrong=candidate), rules=rules, champion=champion)
        by_champion = result(decision, "sensitivity[overall].non_inferiority.champion")
        assert by_champion.verdict is Verdict.PASS
        if decision.verdict is Verdict.PASS:
            released.append(candidate)
    assert released == [(), range(2)]


def test_each_baseline_has_its_own_margin() -> None:
    rules = policy(check("sensitivity", margin={"golden": 0.05}))
    decision = judged(scored(CASES, wrong=range(20)), rules=rules, golden=range(20))
    assert [c.against for c in decision.checks if c.rule == "non_inferiority"] == ["golden"]
    assert decision.verdict is Verdict.PASS
    strict = policy(check("sensitivity", margin={"champion": 0.03, "golden": 0.10}))
    decision = judged(scored(CASES, wrong=range(3)), rules=strict)
    assert result(decision, "sensitivity[overall].non_inferiority.golden").limit == -0.10
    champion = result(decision, "sensitivity[overall].non_inferiority.champion")
    assert (champion.limit, champion.verdict) == (-0.03, Verdict.INCONCLUSIVE)


def test_a_supporting_check_fails_and_decides_nothing() -> None:
    rules = policy(check("sensitivity", floor=0.5), check("auc", floor=0.999, role="supporting"))
    decision = judged(scored(CASES, wrong=range(60)), rules=rules)
    auc = result(decision, "auc[overall].floor")
    assert (auc.verdict, auc.role, auc.open) == (Verdict.FAIL, "supporting", False)
    assert decision.verdict is Verdict.PASS


def test_a_supporting_margin_decides_nothing_either() -> None:
    rules = policy(
        check("sensitivity", floor=0.5), check("specificity", margin=0.05, role="supporting")
    )
    decision = judged(scored(CASES, wrong=range(300, 360)), rules=rules)
    lost = result(decision, "specificity[overall].non_inferiority.golden")
    assert (lost.verdict, lost.role) == (Verdict.FAIL, "supporting")
    assert decision.verdict is Verdict.PASS


def test_supporting_checks_alone_are_never_a_pass() -> None:
    rules = policy(check("sensitivity", floor=0.5, role="supporting"))
    assert judged(rules=rules).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "wrong, ceiling, verdict",
    [
        (range(0), 0.2, Verdict.PASS),
        (range(40), 0.10, Verdict.INCONCLUSIVE),
        (range(150), 0.1, Verdict.FAIL),
    ],
)
def test_a_ceiling_is_held_against_the_bounds(
    wrong: range, ceiling: float, verdict: Verdict
) -> None:
    rules = policy(check("sensitivity", floor=0.01), check("brier", ceiling=ceiling))
    decision = judged(scored(CASES, wrong=wrong), rules=rules, champion=wrong, golden=wrong)
    assert result(decision, "brier[overall].ceiling").verdict is verdict
    assert decision.verdict is verdict


def test_worse_calibration_than_the_champion_fails_although_every_call_is_right() -> None:
    vague = replace(scored(CASES), scores=0.5 + 0.01 * (scored(CASES).scores - 0.5))
    decision = judged(vague, rules=PROBABLE)
    change = result(decision, "brier[overall].non_inferiority.champion")
    assert change.verdict is Verdict.FAIL and change.limit == 0.05
    assert result(decision, "sensitivity[overall].floor").verdict is Verdict.PASS


def test_calibration_of_scores_that_are_no_probabilities_fails() -> None:
    logits = replace(scored(CASES), scores=10 * (scored(CASES).scores - 0.5), operating_point=0.0)
    decision = judged(logits, rules=PROBABLE)
    assert "wanted probabilities" in result(decision, "brier[overall].cases").reason
    assert decision.verdict is Verdict.FAIL


@pytest.mark.parametrize("marked, verdict", [((1, 2), Verdict.FAIL), ((1, 2, 3), Verdict.PASS)])
def test_a_case_set_with_fewer_sentinels_than_agreed_fails(
    marked: tuple[int, ...], verdict: Verdict
) -> None:
    rules = replace(MARGIN, sentinels=Sentinels(3, "planted"))
    decision = judged(rules=rules, case_set=locked(200, 200, sentinels=marked))
    assert result(decision, "sentinels.marked").verdict is verdict
    assert decision.verdict is verdict


@pytest.mark.parametrize(
    "measured, verdict",
    [
        ({"p95": 40.0}, Verdict.PASS),
        ({"p95": 40.1}, Verdict.FAIL),
        ({"p95": float("nan")}, Verdict.INCONCLUSIVE),
        ({"median": 1.0}, Verdict.INCONCLUSIVE),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_latency_is_measured_and_within_its_limit(
    measured: Mapping[str, float] | None, verdict: Verdict
) -> None:
    rules = replace(MARGIN, latency=Latency(40, "planted"))
    candidate = replace(scored(CASES), latency_ms=measured)
    decision = judged(candidate, rules=rules)
    assert result(decision, "latency.p95").verdict is verdict
    assert decision.verdict is verdict and decision.to_json()
    only_told = judged(
        candidate, rules=replace(rules, latency=Latency(40, "planted", "supporting"))
    )
    assert only_told.verdict is Verdict.PASS


@pytest.mark.parametrize(
    "measured, verdict",
    [
        ({"p50": 10.0, "p95": 40.0}, Verdict.PASS),
        ({"p50": 10.0, "p95": 40.1}, Verdict.FAIL),
        ({"p95": float("inf")}, Verdict.INCONCLUSIVE),
        ({}, Verdict.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("role", ["gate", "supporting"])
def test_a_step_of_training_is_within_its_limit_and_decides_where_it_gates(
    measured: Mapping[str, float], verdict: Verdict, role: str
) -> None:
    rules = replace(MARGIN, step_time=StepTime(40, "planted", role))
    decision = judged(replace(scored(CASES), step_ms=measured), rules=rules)
    assert result(decision, "step_time.p95").verdict is verdict
    assert decision.verdict is (verdict if role == "gate" else Verdict.PASS)


@pytest.mark.parametrize("used, verdict", [(10, Verdict.PASS), (11, Verdict.INCONCLUSIVE)])
def test_more_looks_than_planned_prove_nothing(used: int, verdict: Verdict) -> None:
    decision = judged(looks_used=used)
    assert (decision.looks.used, decision.looks.planned) == (used, 10)
    assert result(decision, "looks").verdict is verdict and decision.verdict is verdict


def test_without_a_ledger_looks_are_not_judged_and_not_claimed() -> None:
    decision = judged()
    assert decision.looks.used is None
    assert not [check for check in decision.checks if check.rule == "looks"]


def test_images_of_one_patient_prove_less_than_as_many_patients() -> None:
    """Four lost cases of 400 are lost in pairs: one patient each time, so two patients in 200."""
    rules = policy(check("sensitivity", margin=0.035))
    wrong = [0, 1, 2, 3]
    verdicts = {
        patients: judged(scored(locked(400, 0), wrong=wrong), case_set=locked(400, 0),
                         rules=replace(rules, patients=patients)).verdict
        for patients in ("independent", "clustered")
    }  # fmt: skip
    assert verdicts == {"independent": Verdict.PASS, "clustered": Verdict.INCONCLUSIVE}


def test_aggregation_judges_patients_by_their_highest_score() -> None:
    # 100 patients of two images; one image each of four patients is wrong, the other one right.
    case_set = locked(200, 0)
    rules = policy(check("sensitivity", floor=0.5, margin=0.2), patients="aggregated")
    decision = judged(scored(case_set, wrong=[0, 2, 4, 6]), case_set=case_set, rules=rules)
    floor = result(decision, "sensitivity[overall].floor")
    assert (floor.n, floor.estimate) == (100, 1.0)
    assert decision.patients == "aggregated" and len(decision.flips[0].lost) == 4


def test_one_image_a_patient_is_judged_alike_however_patients_are_taken() -> None:
    single = lock_cases(
        [replace(seen_case(i, int(i < 100)), patient_id=f"p{i}") for i in range(200)],
        name="planted", author="A", reason="test", date="2025-03-31", source="planted",
    )  # fmt: skip
    rules = policy(
        check("sensitivity", floor=0.5, margin=0.1),
        check("auc", margin=0.1),
        check("ece", margin=0.1),
    )
    figures = {
        tuple((c.estimate, c.lower, c.upper) for c in decision.checks)
        for patients in ("independent", "clustered", "aggregated")
        for decision in [
            judged(scored(single, wrong=[1, 5, 150]), case_set=single,
                   rules=replace(rules, patients=patients))
        ]
    }  # fmt: skip
    assert len(figures) == 1


def test_where_the_change_lies_is_said_by_slice_with_holm() -> None:
    aster = [i for i in range(200) if i % 2][:12]
    decision = judged(scored(CASES, wrong=aster), rules=policy(check("sensitivity", floor=0.5)))
    found = {(c.against, c.metric, c.slice): c for c in decision.comparisons}
    lost = found["golden", "sensitivity", "device=Aster"]
    assert (lost.both, lost.gained, lost.lost, lost.neither) == (88, 0, 12, 0)
    assert lost.exact == pytest.approx(2 * 0.5**12)
    # Six comparisons with golden; both tests with 12 lost cases share the smallest p.
    assert lost.holm == pytest.approx(6 * lost.exact) and lost.regressed
    assert not found["golden", "sensitivity", "device=Boreal"].regressed
    assert found["champion", "specificity", "overall"].exact == 1.0


def test_a_gain_is_no_regression_however_clear() -> None:
    decision = judged(golden=range(30), champion=range(30))
    overall = next(c for c in decision.comparisons if c.metric == "sensitivity")
    assert overall.holm < 0.001 and overall.gained == 30 and not overall.regressed


def test_the_calibration_line_is_described_where_there_is_one() -> None:
    said = {
        row.metric: row for row in judged(scored(CASES, wrong=range(0, 400, 9))).slices
        if row.metric.startswith("calibration_")
    }  # fmt: skip
    slope, intercept = said["calibration_slope"], said["calibration_intercept"]
    assert (slope.slice, slope.n, slope.method) == ("overall", 400, "wald")
    assert slope.lower < slope.estimate < slope.upper and slope.estimate > 1  # scores too timid
    assert abs(intercept.estimate) < 1
    separated = judged().slices
    assert not [row for row in separated if row.metric.startswith("calibration_")]


def test_a_lost_sentinel_is_listed_apart() -> None:
    case_set = locked(200, 200, sentinels=[7])
    decision = judged(scored(case_set, wrong=[6, 7]), case_set=case_set)
    assert decision.flips[0].lost_sentinels == ("case-0007",)


def test_a_decision_with_everything_reads_back_as_it_was() -> None:
    rules = replace(PROBABLE, sentinels=Sentinels(1, "x"), latency=Latency(5, "x"))
    case_set = locked(200, 200, sentinels=[7])
    decision = judged(scored(case_set, wrong=[7]), case_set=case_set, rules=rules, looks_used=3)
    assert decision_from_json(decision.to_json()) == decision


COVERED = replace(MARGIN, coverage=Coverage(("device",), 50, "planted"))


@pytest.mark.parametrize(
    "trained_on, verdict",
    [
        ({"device": {"Aster": 50, "Boreal": 900}}, Verdict.PASS),
        ({"device": {"Aster": 49, "Boreal": 900}}, Verdict.FAIL),
        ({"device": {"Boreal": 900}}, Verdict.FAIL),
        ({"site": {"Köln": 900}}, Verdict.FAIL),
        ({}, Verdict.FAIL),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_what_is_judged_must_have_been_trained_on(
    trained_on: Mapping[str, Mapping[str, int]] | None, verdict: Verdict
) -> None:
    decision = judged(rules=COVERED, trained_on=trained_on)
    assert result(decision, "coverage[device=Aster]").verdict is verdict
    assert decision.verdict is verdict


def test_coverage_of_an_attribute_that_no_case_has_fails() -> None:
    rules = replace(MARGIN, coverage=Coverage(("colour",), 1, "planted"))
    decision = judged(rules=rules, trained_on={"colour": {"red": 5}})
    assert result(decision, "coverage[colour]").verdict is Verdict.FAIL


def test_from_scores_alone_coverage_is_not_judged_and_that_is_said() -> None:
    decision = judged(rules=COVERED, scores_only=True, evaluator=None, findings=("as asked",))
    assert decision.verdict is Verdict.PASS
    assert decision.findings[:2] == (
        "as asked",
        "coverage of the training data is not judged: scores alone are here",
    )
    known = {"device": {"Boreal": 900}}
    decision = judged(rules=COVERED, scores_only=True, evaluator=None, trained_on=known)
    assert decision.verdict is Verdict.FAIL
