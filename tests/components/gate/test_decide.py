from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.baselines.case_set import CaseSet
from components.baselines.golden import Golden
from components.baselines.scores import CaseScores
from components.decision import CheckResult, Decision, Verdict
from components.gate.conditions import EvaluatorFindings
from components.gate.decide import decide
from components.gate.policy import Policy
from components.gate.rules import overall_verdict
from tests.components.planting import approved, check, locked, policy, scored, sha

CASES = locked(200, 200)
MARGIN = policy(check("sensitivity", margin=0.05), check("specificity", margin=0.05))


def judged(
    candidate: CaseScores | None = None,
    *,
    rules: Policy = MARGIN,
    case_set: CaseSet = CASES,
    champion: Sequence[int] | CaseScores | None = (),
    golden: Sequence[int] | Golden | None = (),
    **changed: Any,
) -> Decision:
    """The decision on `candidate`; champion and golden may be the cases that they get wrong."""
    if isinstance(champion, Sequence):
        champion = scored(case_set, wrong=champion, model="ch")
    if isinstance(golden, Sequence):
        golden = approved(scored(case_set, wrong=golden, model="go"))
    given = {
        "policy": rules,
        "case_set": case_set,
        "candidate": candidate or scored(case_set),
        "champion": champion,
        "golden": golden,
        "evaluator": EvaluatorFindings(blessed=True),
        "findings": (),
        "run_id": "run-1",
        "created": "2025-03-31T12:00:00Z",
    }
    return decide(**{**given, **changed})


def result(decision: Decision, name: str) -> CheckResult:
    return next(check for check in decision.checks if check.check == name)


def test_a_model_as_good_as_both_baselines_passes() -> None:
    decision = judged()
    assert (decision.verdict, decision.exit_code) == (Verdict.PASS, 0)
    assert all(check.verdict is Verdict.PASS for check in decision.checks)


# Of 200 positives with none gained, Tango's lower bound is -.0432 for 3 lost cases and -.0503 for
# 4, its upper bound -.0498 for 16 and -.0537 for 17.
@pytest.mark.parametrize(
    "lost, verdict, code",
    [
        (3, Verdict.PASS, 0),
        (2, Verdict.PASS, 0),
        (4, Verdict.INCONCLUSIVE, 3),
        (16, Verdict.INCONCLUSIVE, 3),
        (17, Verdict.FAIL, 1),
        (200, Verdict.FAIL, 1),
    ],
)
def test_lost_cases_turn_the_verdict_where_tango_says(
    lost: int, verdict: Verdict, code: int
) -> None:
    decision = judged(scored(CASES, wrong=range(lost)))
    assert result(decision, "sensitivity[overall].non_inferiority.golden").verdict is verdict
    assert (decision.verdict, decision.exit_code) == (verdict, code)


@pytest.mark.parametrize(
    "wrong, missed, verdict, code",
    [
        (range(40), ("sensitivity[overall].floor",), Verdict.INCONCLUSIVE, 3),
        (range(60), ("sensitivity[overall].floor",), Verdict.FAIL, 1),
        (range(10), ("sensitivity[overall].floor",), Verdict.FAIL, 1),
        (range(40), ("sensitivity[overall].floor", "auc[overall].floor"), Verdict.FAIL, 1),
        (range(40), (), Verdict.FAIL, 1),
    ],
)
def test_what_the_bounds_leave_open_is_open_to_the_evaluator_too(
    wrong: range, missed: tuple[str, ...], verdict: Verdict, code: int
) -> None:
    rules = policy(check("sensitivity", floor=0.8))
    other = EvaluatorFindings(False, ("sensitivity[overall] 0.7900",), missed=missed)
    decision = judged(scored(CASES, wrong=wrong), rules=rules, evaluator=other)
    assert result(decision, "evaluator").verdict is verdict
    assert (decision.verdict, decision.exit_code) == (verdict, code)


def test_drop_equal_to_margin_blocks() -> None:
    assert judged(scored(CASES, wrong=range(10))).verdict is not Verdict.PASS


def test_creeping_losses_pass_the_champion_and_stop_at_golden() -> None:
    champion, candidate = range(12), range(13)
    decision = judged(scored(CASES, wrong=candidate), champion=champion, golden=())
    against = "sensitivity[overall].non_inferiority"
    assert result(decision, f"{against}.champion").verdict is Verdict.PASS
    assert result(decision, f"{against}.golden").verdict is Verdict.INCONCLUSIVE
    assert decision.verdict is not Verdict.PASS


def test_each_model_is_called_at_its_own_operating_point() -> None:
    candidate = scored(CASES)
    shifted = replace(candidate, scores=candidate.scores / 2, operating_point=0.25)
    assert judged(shifted).verdict is Verdict.PASS
    assert judged(replace(shifted, operating_point=0.5)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "wrong, verdict",
    [
        (range(10), Verdict.PASS),
        (range(40), Verdict.INCONCLUSIVE),
        (range(60), Verdict.FAIL),
    ],
)
def test_a_floor_is_held_against_the_bounds_and_not_the_estimate(
    wrong: range, verdict: Verdict
) -> None:
    # 160 of 200 is exactly the floor, and the lower bound is .738.
    rules = policy(check("sensitivity", floor=0.80))
    decision = judged(scored(CASES, wrong=wrong), rules=rules, champion=wrong, golden=wrong)
    assert result(decision, "sensitivity[overall].floor").verdict is verdict


def test_auc_is_judged_on_the_ranking() -> None:
    rules = policy(check("auc", floor=0.9, margin=0.02))
    assert judged(rules=rules).verdict is Verdict.PASS
    worse = judged(scored(CASES, wrong=range(60)), rules=rules)
    assert result(worse, "auc[overall].non_inferiority.champion").verdict is Verdict.FAIL


@pytest.mark.parametrize("against", ["champion", "golden"])
def test_a_sentinel_that_turned_wrong_fails(against: str) -> None:
    case_set = locked(200, 200, sentinels=[7])
    other = "golden" if against == "champion" else "champion"
    given: dict[str, Any] = {against: (), other: (7,)}
    decision = judged(scored(case_set, wrong=[7]), case_set=case_set, **given)
    assert result(decision, f"sentinels.{against}").verdict is Verdict.FAIL
    assert "case-0007" in result(decision, f"sentinels.{against}").reason
    assert result(decision, f"sentinels.{other}").verdict is Verdict.PASS
    assert decision.exit_code == 1


@pytest.mark.parametrize("lost, verdict", [(4, Verdict.PASS), (5, Verdict.FAIL)])
def test_negative_flips_above_the_ceiling_fail(lost: int, verdict: Verdict) -> None:
    rules = policy(check("sensitivity", floor=0.5), ceiling=0.01)
    decision = judged(scored(CASES, wrong=range(lost)), rules=rules)
    assert result(decision, "negative_flips.golden").verdict is verdict
    assert decision.verdict is verdict


def test_lost_and_gained_cases_are_listed_for_each_baseline() -> None:
    decision = judged(scored(CASES, wrong=[1, 2]), champion=[2, 3], golden=[])
    champion, golden = decision.flips
    assert (champion.gained, champion.lost) == (("case-0003",), ("case-0001",))
    assert (golden.gained, golden.lost) == ((), ("case-0001", "case-0002"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("who", ["candidate", "champion", "golden"])
def test_a_score_that_is_not_finite_fails(who: str, bad: float) -> None:
    scores = scored(CASES, model=who)
    scores.scores[3] = bad
    given: dict[str, Any] = {who: approved(scores) if who == "golden" else scores}
    decision = judged(**given)
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    assert "1 of 400" in result(decision, f"scores.finite.{who}").reason


def test_all_scores_nan_fails() -> None:
    scores = scored(CASES)
    assert judged(replace(scores, scores=np.full(400, np.nan))).verdict is Verdict.FAIL


def test_an_operating_point_of_nan_fails_and_can_be_written() -> None:
    decision = judged(replace(scored(CASES), operating_point=np.nan))
    assert decision.verdict is Verdict.FAIL and decision.to_json()


def without_last(scores: CaseScores) -> CaseScores:
    return replace(scores, case_ids=scores.case_ids[:-1], scores=scores.scores[:-1])


def with_another(scores: CaseScores) -> CaseScores:
    return replace(scores, case_ids=(*scores.case_ids, "x"), scores=np.append(scores.scores, 0.5))


def with_one_twice(scores: CaseScores) -> CaseScores:
    return replace(scores, case_ids=(*scores.case_ids[:-1], scores.case_ids[0]))


def of_another_set(scores: CaseScores) -> CaseScores:
    return replace(scores, scored_case_set=sha("other"))


@pytest.mark.parametrize("who", ["candidate", "champion", "golden"])
@pytest.mark.parametrize("fault", [without_last, with_another, with_one_twice, of_another_set])
def test_scores_for_other_cases_than_the_locked_ones_are_an_integrity_failure(
    who: str, fault: Any
) -> None:
    scores = fault(scored(CASES, model=who))
    given: dict[str, Any] = {who: approved(scores) if who == "golden" else scores}
    decision = judged(**given)
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 4)
    assert who in result(decision, f"scores.cases.{who}").reason


@pytest.mark.parametrize(
    "rules",
    [
        policy(check("sensitivity", floor=0.1, device="Dorado")),
        policy(check("specificity", margin=0.9, colour="red")),
    ],
)
def test_a_slice_without_cases_fails(rules: Policy) -> None:
    decision = judged(rules=rules)
    assert decision.verdict is Verdict.FAIL
    assert "0 positive and 0 negative" in decision.checks[-1].reason


@pytest.mark.parametrize("metric", ["sensitivity", "auc"])
@pytest.mark.parametrize("baseline", [None, ()])
def test_a_slice_without_positives_fails_with_or_without_baselines(
    metric: str, baseline: Sequence[int] | None
) -> None:
    case_set = locked(0, 50)
    rules = policy(check(metric, margin=0.9))
    decision = judged(rules=rules, case_set=case_set, champion=baseline, golden=baseline)
    assert decision.verdict is Verdict.FAIL
    assert result(decision, f"{metric}[overall].cases").reason.startswith("overall has 0 positive")


def test_an_empty_case_set_evaluates_nothing() -> None:
    empty = replace(CASES, cases=())
    decision = judged(case_set=empty)
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 5)


def test_without_golden_the_verdict_is_inconclusive() -> None:
    decision = judged(golden=None, champion=None, rules=policy(check(floor=0.8, margin=0.05)))
    assert (decision.verdict, decision.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert result(decision, "sensitivity[overall].floor").verdict is Verdict.PASS
    assert result(decision, "baseline.golden").reason == "no golden scores: bootstrap by name"


def test_without_golden_a_failed_floor_still_fails() -> None:
    decision = judged(scored(CASES, wrong=range(150)), golden=None, rules=policy(check(floor=0.8)))
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)


def test_without_a_champion_golden_alone_lets_pass_and_it_is_said() -> None:
    decision = judged(champion=None)
    assert decision.verdict is Verdict.PASS
    assert "no champion: nothing is released yet" in decision.findings


def test_the_other_judge_can_only_block() -> None:
    refused = EvaluatorFindings(blessed=False, failures=("sensitivity on device=Cirrus",))
    decision = judged(evaluator=refused)
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    assert "device=Cirrus" in result(decision, "evaluator").reason
    assert judged(scored(CASES, wrong=range(99))).verdict is Verdict.FAIL


def test_a_missing_judge_fails_unless_it_is_not_required() -> None:
    assert judged(evaluator=None).verdict is Verdict.FAIL
    assert judged(evaluator=None, scores_only=True).verdict is Verdict.PASS


@pytest.mark.parametrize("who", ["ch", "go"])
def test_a_model_compared_with_itself_by_mistake_fails(who: str) -> None:
    candidate = scored(CASES, model=who)
    assert judged(candidate).verdict is Verdict.FAIL
    assert judged(candidate, same_inputs={"champion", "golden"}).verdict is Verdict.PASS


def test_the_champion_made_again_is_already_released() -> None:
    assert judged(same_inputs={"champion", "golden"}).already_released
    assert not judged(same_inputs=()).already_released
    assert not judged(scored(CASES, wrong=[1]), same_inputs={"champion", "golden"}).already_released
    assert not judged(
        same_inputs={"champion", "golden"}, evaluator=EvaluatorFindings(False)
    ).already_released


def test_the_champions_scores_called_at_another_point_are_another_model() -> None:
    # No score lies between the two points, so that every call is the same.
    champion = replace(scored(CASES, model="ch"), operating_point=0.45)
    again = {"same_inputs": {"champion", "golden"}}
    assert judged(**again).already_released
    decision = judged(champion=champion, **again)
    assert decision.verdict is Verdict.PASS and not decision.already_released
    first = judged(champion=None, **again)
    assert first.verdict is Verdict.PASS and not first.already_released


def test_the_order_of_cases_changes_not_one_byte() -> None:
    candidate = scored(CASES, wrong=[1, 250])
    order = np.random.default_rng(0).permutation(400)
    shuffled = replace(
        candidate,
        case_ids=tuple(candidate.case_ids[i] for i in order),
        scores=candidate.scores[order],
    )
    turned = replace(CASES, cases=CASES.cases[::-1])
    assert judged(shuffled, case_set=turned).to_json() == judged(candidate).to_json()


def test_slices_are_described_and_an_unknown_attribute_is_said() -> None:
    rules = replace(MARGIN, descriptive_slices=("device", "colour"))
    decision = judged(scored(CASES, wrong=[0]), rules=rules)
    described = {(row.metric, row.slice): row for row in decision.slices}
    assert described["sensitivity", "device=Boreal"].estimate == 0.99
    assert described["sensitivity", "device=Aster"].n == 100
    assert described["auc", "overall"].method == "delong"
    assert any("'colour'" in finding for finding in decision.findings)


def test_no_check_is_never_a_pass() -> None:
    assert overall_verdict([]) is Verdict.INCONCLUSIVE
    assert judged(rules=policy()).verdict is Verdict.INCONCLUSIVE


def test_findings_and_hashes_are_kept() -> None:
    decision = judged(findings=("2 cases skipped",))
    assert "2 cases skipped" in decision.findings
    assert decision.hashes["golden"] == sha("go") and decision.hashes["policy"] == sha("policy")
    assert decision.hashes["candidate_scores"] == scored(CASES).scores_sha256
    assert decision.operating_points == {"candidate": 0.5, "champion": 0.5, "golden": 0.5}
