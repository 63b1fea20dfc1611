"""A candidate whose heat leaves the lesions is called out; one that only differs is not."""

from dataclasses import replace

import numpy as np
import pytest

from components.baselines.scores import Attention, CaseScores
from components.decision import CheckResult, Decision, Verdict
from components.gate import self_test
from components.gate.policy import AttentionMargin, Policy
from components.gate.waiving import WAIVABLE
from tests.components.gate.test_decide import CASES, MARGIN, judged
from tests.components.planting import scored

ILL = [case.case_id for case in CASES.cases if case.label]
AREA = 0.10
GATE = replace(MARGIN, attention=AttentionMargin("gate", 0.1, "planted"))


def looking(share: float | None, spread: float = 0.04, model: str = "candidate") -> CaseScores:
    """Right of every case; its heat lies around `share` inside the lesions of those that are ill.

    Shares lie `spread` up and down in turn, by patient, so that a patient's cases move together.
    """
    if share is None:
        shares = dict.fromkeys(ILL, (None, AREA))
    else:
        moved = [share + spread * (-1) ** (i // 2) for i in range(len(ILL))]
        shares = {id_: (max(0.0, one), AREA) for id_, one in zip(ILL, moved)}
    return replace(scored(CASES, model=model), attention=Attention(shares))


CHAMPION = looking(0.26, spread=0.02, model="ch")


def attention(decision: Decision) -> CheckResult | None:
    found = [check for check in decision.checks if check.rule == "attention"]
    assert len(found) <= 1
    return found[0] if found else None


def found(candidate: CaseScores, rules: Policy = MARGIN, **given: object) -> CheckResult:
    check = attention(judged(candidate, rules=rules, **{"champion": CHAMPION, **given}))
    assert check is not None
    return check


def test_heat_that_left_the_lesions_is_called_out_and_blocks_nothing_by_default() -> None:
    decision = judged(looking(0.08), champion=CHAMPION)
    check = attention(decision)
    assert check is not None
    assert (check.check, check.verdict, check.role) == (
        "attention.champion",
        Verdict.FAIL,
        "supporting",
    )
    assert check.n == len(ILL) and check.estimate == pytest.approx(-0.18)
    assert check.upper is not None and check.upper < check.limit == -0.1
    assert "0.080" in check.reason and "0.260" in check.reason
    assert decision.verdict is Verdict.PASS


def test_as_a_gate_it_blocks_and_two_people_may_let_it_through() -> None:
    decision = judged(looking(0.08), rules=GATE, champion=CHAMPION)
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    assert [check.check for check in decision.checks if check.open] == ["attention.champion"]
    assert "attention" in WAIVABLE


@pytest.mark.parametrize(
    "share, verdict",
    [(0.26, Verdict.PASS), (0.23, Verdict.PASS), (0.16, Verdict.INCONCLUSIVE), (0.1, Verdict.FAIL)],
)
def test_only_what_is_proven_passes_or_fails(share: float, verdict: Verdict) -> None:
    assert found(looking(share)).verdict is verdict


def test_the_margin_is_the_policys() -> None:
    wide = replace(MARGIN, attention=AttentionMargin("supporting", 0.2, "planted"))
    check = found(looking(0.1), wide)
    assert (check.verdict, check.limit) == (Verdict.PASS, -0.2)


@pytest.mark.parametrize(
    "share, verdict",
    [(0.26, Verdict.PASS), (AREA, Verdict.INCONCLUSIVE), (0.04, Verdict.FAIL)],
)
@pytest.mark.parametrize("silent", [None, scored(CASES, model="ch"), looking(None, model="ch")])
def test_without_a_champions_maps_it_is_held_against_the_lesions_share_of_the_area(
    share: float, verdict: Verdict, silent: CaseScores | None
) -> None:
    check = found(looking(share), champion=silent)
    assert (check.check, check.against, check.limit) == ("attention.area", "none", 0.0)
    assert check.verdict is verdict and "-0" not in check.reason.split()


def test_a_candidate_whose_maps_are_blank_has_no_heat_in_any_lesion() -> None:
    check = found(looking(None))
    assert check.verdict is Verdict.FAIL and check.estimate == pytest.approx(-0.26)


def test_a_case_where_the_champions_map_is_blank_says_nothing() -> None:
    assert CHAMPION.attention is not None
    shares = {**CHAMPION.attention.shares, ILL[0]: (None, AREA)}
    check = found(looking(0.26), champion=replace(CHAMPION, attention=Attention(shares)))
    assert check.n == len(ILL) - 1


def test_cases_of_one_patient_count_together_as_the_policy_says() -> None:
    """Of each patient both cases moved alike."""
    width, n = {}, {}
    for patients in ("independent", "clustered", "aggregated"):
        check = found(looking(0.2), replace(MARGIN, patients=patients))
        assert check.lower is not None and check.upper is not None
        width[patients], n[patients] = check.upper - check.lower, check.n
    assert n == {
        "independent": len(ILL),
        "clustered": len(ILL),
        "aggregated": len({case.patient_id for case in CASES.cases if case.label}),
    }
    assert width["clustered"] == pytest.approx(width["aggregated"], rel=0.01)
    assert width["clustered"] == pytest.approx(np.sqrt(2) * width["independent"], rel=0.02)


def test_a_candidate_without_maps_is_not_passed_over() -> None:
    check = found(replace(CHAMPION, attention=Attention({})))
    assert (check.verdict, check.n) == (Verdict.INCONCLUSIVE, 0)


def test_where_nobody_knows_lesions_the_decision_says_so_and_a_gate_never_passes() -> None:
    unknown = scored(CASES)
    asked = replace(MARGIN, attention=AttentionMargin(rationale="ours"))
    for rules in (MARGIN, asked):
        decision = judged(unknown, rules=rules)
        assert attention(decision) is None
        said = [line for line in decision.findings if "lesions" in line]
        assert len(said) == (rules is asked)  # nobody has to read of a default
    files = judged(unknown, rules=asked, scores_only=True, evaluator=None)
    assert not [line for line in files.findings if "lesions" in line]
    assert found(unknown, GATE).verdict is Verdict.INCONCLUSIVE


def test_off_asks_nothing_and_says_nothing() -> None:
    off = replace(MARGIN, attention=AttentionMargin("off"))
    for candidate in (looking(0.0), scored(CASES)):
        decision = judged(candidate, rules=off, champion=CHAMPION)
        assert attention(decision) is None and not [f for f in decision.findings if "lesion" in f]


def test_each_run_shows_that_a_copy_that_looks_elsewhere_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted = judged(looking(0.26), champion=CHAMPION).self_tests[-1]
    assert "attention.champion" in planted.name and planted.passed
    real = self_test.attention_checks
    monkeypatch.setattr(
        self_test,
        "attention_checks",
        lambda *given: [replace(check, verdict=Verdict.PASS) for check in real(*given)],
    )
    assert judged(looking(0.26), champion=CHAMPION).exit_code == 70


def test_a_champion_that_has_little_to_lose_is_no_fault_of_the_gate() -> None:
    champion = looking(0.09, spread=0.02, model="ch")
    decision = judged(looking(0.09), champion=champion)
    assert decision.verdict is Verdict.PASS
    assert not [test for test in decision.self_tests if "attention" in test.name]
