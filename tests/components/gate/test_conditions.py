"""A model that cannot be served is blocked by that name, whatever its scores are."""

from dataclasses import replace

import pytest

from components.baselines.scores import OriginalsAgreement, Servability
from components.decision import CheckResult, Verdict
from components.gate.policy import AgreementLimit
from components.gate.waiving import WAIVABLE
from components.records.ledger.records import Waiver
from tests.components.gate.test_decide import CASES, MARGIN, judged
from tests.components.planting import approved, scored

UNSERVED = Servability("conv2d/bias is not filled")
CANDIDATE = scored(CASES)


def servable(served: Servability | None, **given: object) -> CheckResult | None:
    decision = judged(candidate=replace(CANDIDATE, served=served), **given)
    found = [check for check in decision.checks if check.rule == "servable"]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    "served, fact",
    [
        (UNSERVED, "conv2d/bias is not filled"),
        (None, "nobody tried"),
        (
            Servability(None, "a loader", len(CASES.cases), 2, None, OriginalsAgreement()),
            "against each other",
        ),
        (
            Servability(None, "a loader", len(CASES.cases) - 1, 2, 0.0, OriginalsAgreement()),
            f"of {len(CASES.cases)} cases",
        ),
    ],
)
def test_a_perfect_model_that_cannot_be_served_fails(served: Servability | None, fact: str) -> None:
    decision = judged(candidate=replace(CANDIDATE, served=served))
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    assert [check.check for check in decision.checks if check.open] == ["servable"]
    assert fact in next(check.reason for check in decision.checks if check.check == "servable")
    assert not [finding for finding in decision.findings if "cannot be served" in finding]


def test_what_was_answered_is_in_the_decision() -> None:
    check = servable(Servability(None, "a loader", len(CASES.cases), 7, 3e-8))
    assert check is not None and check.verdict is Verdict.PASS and check.n == len(CASES.cases)
    for fact in ("a loader", str(len(CASES.cases)), "7 one by one", "3.0e-08"):
        assert fact in check.reason


def test_a_file_of_scores_was_served_by_nobody_and_is_judged_without() -> None:
    assert servable(None, scores_only=True, evaluator=None) is None
    failed = servable(UNSERVED, scores_only=True, evaluator=None)
    assert failed is not None and failed.verdict is Verdict.FAIL


def agreement(found: OriginalsAgreement | None, **given: object) -> CheckResult | None:
    served = Servability(None, "a loader", len(CASES.cases), 2, 0.0, found)
    decision = judged(candidate=replace(CANDIDATE, served=served), **given)
    checks = [check for check in decision.checks if check.rule == "agreement"]
    assert len(checks) <= 1 and "agreement" not in WAIVABLE
    assert decision.verdict is (checks[0].verdict if checks else Verdict.PASS)
    return checks[0] if checks else None


@pytest.mark.parametrize(
    "apart, tolerance, verdict",
    [(0.01, None, "PASS"), (0.0101, None, "FAIL"), (0.1, 0.1, "PASS"), (1e-6, 0.0, "FAIL")],
)
def test_other_bytes_may_be_scored_as_far_apart_as_the_policy_says(
    apart: float, tolerance: float | None, verdict: str
) -> None:
    limit = None if tolerance is None else AgreementLimit(tolerance, "agreed on")
    found = OriginalsAgreement(40, 3, apart, "case-0007", 2)
    check = agreement(found, rules=replace(MARGIN, agreement=limit))
    assert check is not None and check.verdict.value == verdict
    assert (check.n, check.estimate) == (40, apart)
    assert check.limit == (0.01 if tolerance is None else tolerance)
    for fact in ("40 cases", "case-0007", "2 called otherwise", "3 that TensorFlow"):
        assert fact in check.reason


def test_a_model_that_nobody_asked_with_other_bytes_fails() -> None:
    check = agreement(None)
    assert check is not None and check.verdict is Verdict.FAIL and "nobody" in check.reason
    assert agreement(None, scores_only=True, evaluator=None) is None


def test_where_all_bytes_are_those_that_were_judged_there_is_nothing_to_ask() -> None:
    check = agreement(OriginalsAgreement())
    assert check is not None and (check.verdict, check.n) == (Verdict.PASS, 0)


def test_two_people_cannot_let_it_through() -> None:
    blocked = judged(candidate=replace(CANDIDATE, served=UNSERVED))
    waiver = Waiver(
        check="servable",
        run_id="run-1",
        decision_sha256=blocked.decision_sha256,
        candidate_sha256=str(blocked.hashes["candidate"]),
        case_set_root=str(blocked.hashes["case_set"]),
        policy_sha256=str(blocked.hashes["policy"]),
        by="A. Radiologist",
        second="B. Physicist",
        reason="it is only the loader",
        expires="2099-01-01",
        at="2025-03-31T00:00:00.000Z",
    )
    again = judged(candidate=replace(CANDIDATE, served=UNSERVED), waivers=[waiver])
    assert "servable" not in WAIVABLE and again.verdict is Verdict.FAIL
    assert not any(check.waived for check in again.checks)


@pytest.mark.parametrize("name", ["champion", "golden"])
def test_a_baseline_that_cannot_be_served_judges_and_is_remarked(name: str) -> None:
    old = replace(scored(CASES, model=name), served=UNSERVED)
    decision = judged(**{name: approved(old) if name == "golden" else old})
    assert decision.verdict is Verdict.PASS
    (remark,) = [finding for finding in decision.findings if "cannot be served" in finding]
    assert name in remark and "conv2d/bias" in remark
