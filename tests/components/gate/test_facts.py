"""Every fact that a decision states of each kind of check, but for its sentence."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.decision import Decision, Verdict
from components.gate.conditions import EvaluatorFindings
from components.gate.policy import Coverage, Latency, Sentinels
from components.gate.preconditions import Withdrawn
from components.statistics.intervals import clopper_pearson, wilson
from components.statistics.paired import tango
from tests.components.gate.test_decide import judged, result
from tests.components.planting import approved, check, locked, policy, scored, sha

CASES = locked(100, 100, sentinels=[1, 2, 150])
RULES = replace(
    policy(
        check("sensitivity", floor=0.9, margin={"golden": 0.05}, alpha=0.05, device="Aster"),
        check("brier", ceiling=0.5, margin={"champion": 0.2}, role="supporting"),
        check("specificity", margin=0.05, device="Cirrus", role="supporting"),
        check("auc", floor=0.5, device="Cirrus"),
        ceiling=0.1,
    ),
    sentinels=Sentinels(2, "agreed on"),
    latency=Latency(40.0, "agreed on"),
    coverage=Coverage(("device",), 50, "agreed on"),
)
# The candidate has one image of Aster wrong, golden another, the champion one of Boreal.
FACTS: dict[str, dict[str, Any]] = {
    "servable": {"rule": "servable", "n": 200},
    "agreement": {"rule": "agreement", "estimate": 0.0, "limit": 0.01},
    "evaluator": {"rule": "evaluator"},
    "sensitivity[device=Aster].floor": {
        "rule": "floor",
        "metric": "sensitivity",
        "slice": "device=Aster",
        "n": 50,
        "estimate": 0.98,
        "limit": 0.9,
        "method": "clopper_pearson",
    },
    "sensitivity[device=Aster].non_inferiority.golden": {
        "rule": "non_inferiority",
        "verdict": "INCONCLUSIVE",
        "metric": "sensitivity",
        "slice": "device=Aster",
        "against": "golden",
        "n": 50,
        "estimate": 0.0,
        "limit": -0.05,
        "method": "tango",
    },
    "brier[overall].ceiling": {
        "rule": "ceiling",
        "metric": "brier",
        "slice": "overall",
        "n": 200,
        "limit": 0.5,
        "method": "normal",
        "role": "supporting",
    },
    "brier[overall].non_inferiority.champion": {
        "rule": "non_inferiority",
        "metric": "brier",
        "slice": "overall",
        "against": "champion",
        "n": 200,
        "limit": 0.2,
        "method": "normal",
        "role": "supporting",
    },
    "specificity[device=Cirrus].cases": {
        "rule": "non_inferiority",
        "verdict": "FAIL",
        "metric": "specificity",
        "slice": "device=Cirrus",
        "role": "supporting",
    },
    "auc[device=Cirrus].cases": {
        "rule": "floor",
        "verdict": "FAIL",
        "metric": "auc",
        "slice": "device=Cirrus",
    },
    **{
        f"negative_flips.{name}": {
            "rule": "negative_flips",
            "against": name,
            "n": 200,
            "estimate": 0.005,
            "limit": 0.1,
            "method": "clopper_pearson",
        }
        for name in ("champion", "golden")
    },
    **{
        f"sentinels.{name}": {"rule": "sentinel", "against": name, "n": 3}
        for name in ("champion", "golden")
    },
    "sentinels.marked": {"rule": "sentinel", "n": 3, "limit": 2.0},
    "latency.p95": {"rule": "latency", "estimate": 12.5, "limit": 40.0},
    "coverage[device=Aster]": {
        "rule": "coverage",
        "slice": "device=Aster",
        "n": 50,
        "limit": 50.0,
    },
    "coverage[device=Boreal]": {
        "rule": "coverage",
        "verdict": "FAIL",
        "slice": "device=Boreal",
        "n": 49,
        "limit": 50.0,
    },
    "looks": {"rule": "looks", "estimate": 3.0, "limit": 10.0},
}
DEFAULTS: dict[str, Any] = {
    "verdict": "PASS",
    "metric": None,
    "slice": None,
    "against": "none",
    "n": 0,
    "limit": None,
    "method": None,
    "role": "gate",
    "waived": False,
}


@pytest.fixture(scope="module")
def decision() -> Decision:
    return judged(
        replace(scored(CASES, wrong=[3]), latency_ms={"p95": 12.5}),
        rules=RULES,
        case_set=CASES,
        champion=[0],
        golden=[1],
        looks_used=3,
        trained_on={"device": {"Aster": 50, "Boreal": 49}},
    )


def test_each_kind_of_check_states_what_it_judged_and_by_what(decision: Decision) -> None:
    assert {each.check for each in decision.checks} == set(FACTS)
    for name, facts in FACTS.items():
        found = {**vars(result(decision, name))}
        found["verdict"] = found["verdict"].value
        wanted = {**DEFAULTS, **facts}
        assert {key: found[key] for key in wanted} == wanted, name


def test_bounds_are_those_of_the_checks_own_error_rate(decision: Decision) -> None:
    floor = result(decision, "sensitivity[device=Aster].floor")
    exact, beside = (each(49, 50, alpha=0.05) for each in (clopper_pearson, wilson))
    assert (floor.lower, floor.upper) == (exact.lower, exact.upper)
    assert f"{beside.lower:.4f} to {beside.upper:.4f}" in floor.reason
    margin = result(decision, "sensitivity[device=Aster].non_inferiority.golden")
    paired = tango(1, 1, 50, alpha=0.05)
    assert (margin.lower, margin.upper) == (paired.lower, paired.upper)
    lax = judged(
        scored(CASES, wrong=[3]), rules=replace(RULES, alpha=0.05), case_set=CASES, golden=[1]
    )
    for made, alpha in ((decision, 0.025), (lax, 0.05)):
        flips = result(made, "negative_flips.golden")
        share = clopper_pearson(1, 200, alpha=alpha)
        assert (flips.lower, flips.upper) == (share.lower, share.upper)
    assert result(decision, "latency.p95").lower is None


def test_a_change_is_the_candidates_minus_the_baselines(decision: Decision) -> None:
    champion = result(decision, "brier[overall].non_inferiority.champion")
    # Each has another case wrong; the scores of these two cases make all the difference.
    ours, theirs = 0.2 + 3 / 2000, 0.2 + 0 / 2000
    right = [0.8 + 0 / 2000, 0.8 + 3 / 2000]
    squares = [(1 - ours) ** 2 + (1 - right[0]) ** 2, (1 - theirs) ** 2 + (1 - right[1]) ** 2]
    assert champion.estimate == pytest.approx((squares[0] - squares[1]) / 200, abs=1e-12)


def test_a_reason_counts_what_there_was_to_judge_or_to_train_on(decision: Decision) -> None:
    assert "49 training cases" in result(decision, "coverage[device=Boreal]").reason
    few = judged(rules=policy(check("auc", floor=0.5)), case_set=locked(1, 3))
    assert "1 positive and 3 negative" in result(few, "auc[overall].cases").reason


def test_what_no_training_case_has_is_counted_as_none() -> None:
    rules = replace(RULES, coverage=Coverage(("device",), 1, "agreed on"))
    for trained_on in ({"device": {"Aster": 50}}, {}):
        lacking = judged(rules=rules, case_set=CASES, trained_on=trained_on)
        check = result(lacking, "coverage[device=Boreal]")
        assert (check.verdict.value, check.n) == ("FAIL", 0)
        assert ("0 training cases" in check.reason) is ("device" in trained_on)


def test_only_what_is_lacking_has_a_next_step(decision: Decision) -> None:
    few = judged(rules=replace(RULES, sentinels=Sentinels(4, "agreed on")), case_set=CASES)
    late = judged(rules=RULES, case_set=CASES, looks_used=11)
    for made, name, end in [
        (decision, "sentinels.marked", "wants at least 2"),
        (few, "sentinels.marked", "wants at least 4; mark them with `casegate cases amend`"),
        (decision, "looks", "planned at these cases"),
        (late, "looks", "these cases; renew the case set, or plan more looks and say why"),
    ]:
        assert result(made, name).reason.endswith(end)


def test_a_reason_says_on_which_side_of_its_limit_a_check_lies(decision: Decision) -> None:
    lost = judged(
        scored(CASES, wrong=range(1, 40)), rules=RULES, case_set=CASES, champion=[], golden=[]
    )
    flips = "negative_flips.golden"
    assert "within the ceiling 0.1" in result(decision, flips).reason
    assert "above the ceiling 0.1" in result(lost, flips).reason
    floor = result(decision, "sensitivity[device=Aster].floor").reason
    assert floor.startswith("lower bound 0.9086 ")
    assert ":" not in result(decision, "sentinels.golden").reason
    assert "case-0001, case-0002" in result(lost, "sentinels.golden").reason


CANDIDATE = scored(CASES)


@pytest.mark.parametrize(
    "given, check, rule",
    [
        ({"evaluator": None}, "evaluator.answer", "scores"),
        ({"evaluator": EvaluatorFindings(True, faults=("4 cases",))}, "evaluator.answer", "scores"),
        ({"evaluator": EvaluatorFindings(False)}, "evaluator.answer", "scores"),
        ({"evaluator": EvaluatorFindings(False, ("auc",))}, "evaluator", "evaluator"),
        ({"candidate": replace(CANDIDATE, served=None)}, "servable", "servable"),
        ({"case_set": replace(CASES, cases=())}, "scores.cases", "scores"),
        (
            {"champion": replace(CANDIDATE, scored_case_set=sha("other"))},
            "scores.cases.champion",
            "scores",
        ),
        (
            {"candidate": replace(CANDIDATE, scores=np.full(200, np.nan))},
            "scores.finite.candidate",
            "scores",
        ),
        (
            {"candidate": replace(CANDIDATE, operating_point=np.nan)},
            "scores.operating_point.candidate",
            "scores",
        ),
        ({"champion": CANDIDATE}, "baseline.champion", "baseline"),
        ({"golden": None}, "baseline.golden", "baseline"),
        (
            {"withdrawn": [Withdrawn(CANDIDATE.model_sha256, None, why) for why in "ab"]},
            "baseline.withdrawn",
            "baseline",
        ),
    ],
)
def test_what_cannot_be_judged_is_one_open_check_under_a_rule_that_names_it(
    given: dict[str, Any], check: str, rule: str
) -> None:
    decision = judged(**{"case_set": CASES, **given})
    assert [(one.check, one.rule) for one in decision.checks if one.open] == [(check, rule)]


@pytest.mark.parametrize(
    "model, changed, check",
    [
        ("candidate", {"scores": 100 * CANDIDATE.scores}, "scores.range.candidate"),
        ("candidate", {"operating_point": 1.5}, "scores.range.candidate"),
        ("champion", {"scores": 100 * CANDIDATE.scores}, "scores.range.champion"),
        ("golden", {"scores": CANDIDATE.scores - 1}, "scores.range.golden"),
        ("candidate", {"scores": np.full(200, 0.75)}, "scores.constant"),
        (
            "candidate",
            {"scores": np.array([case.label * 1.0 for case in CASES.cases])},
            "scores.labels",
        ),
    ],
)
def test_scores_that_say_nothing_never_pass_however_good_the_figures(
    model: str, changed: dict[str, Any], check: str
) -> None:
    scores: Any = replace(CANDIDATE, **changed)
    given = {model: approved(scores) if model == "golden" else scores}
    decision = judged(**{"case_set": CASES, **given})
    assert (result(decision, check).verdict, result(decision, check).rule) == (
        Verdict.FAIL,
        "scores",
    )
    assert decision.exit_code == 1


def test_a_ranking_alone_needs_no_probabilities() -> None:
    rules = policy(check("auc", floor=0.5))
    logits = replace(CANDIDATE, scores=20 * CANDIDATE.scores - 10)
    assert judged(logits, rules=rules, case_set=CASES).verdict is Verdict.PASS


def test_only_a_fault_of_a_baseline_is_against_it() -> None:
    silent = judged(evaluator=None)
    assert result(silent, "evaluator.answer").against == "none"
    itself = judged(champion=scored(CASES), case_set=CASES)
    assert result(itself, "baseline.champion").against == "champion"
