"""What two people may let through by name, for which model, and until when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.decision import Decision, Verdict
from components.gate.conditions import EvaluatorFindings
from components.records.ledger.records import Waiver
from tests.components.gate.test_decide import CASES, MARGIN, judged, result
from tests.components.planting import locked, scored, sha

LOST = scored(CASES, wrong=range(20))
CHECKS = [f"sensitivity[overall].non_inferiority.{name}" for name in ("champion", "golden")]


def waiver(check: str, **changed: Any) -> Waiver:
    """One that holds for `LOST` on the day of `judged`, 2025-03-31."""
    given: dict[str, Any] = {
        "check": check,
        "run_id": "run-0",
        "decision_sha256": sha("decision"),
        "candidate_sha256": LOST.model_sha256,
        "case_set_root": CASES.merkle_root,
        "policy_sha256": MARGIN.sha256,
        "by": "A. Radiologist",
        "second": "B. Physicist",
        "reason": "the device leaves service this month",
        "expires": "2025-03-31",
        "at": "2025-03-30T09:00:00Z",
    }
    return Waiver(**{**given, **changed})


def waived(*waivers: Waiver, candidate: Any = LOST, **changed: Any) -> Decision:
    return judged(candidate, waivers=waivers, **changed)


def test_waived_checks_let_the_candidate_through_and_stay_what_they_were() -> None:
    decision = waived(*map(waiver, CHECKS))
    assert (decision.verdict, decision.exit_code) == (Verdict.PASS, 0)
    for name in CHECKS:
        check = result(decision, name)
        assert (check.verdict, check.waived) == (Verdict.FAIL, True)
    assert {note.state for note in decision.waivers} == {"applied"}
    assert decision.waivers[0].second == "B. Physicist"


def test_a_check_that_nobody_waived_still_blocks() -> None:
    assert waived(waiver(CHECKS[0])).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "changed",
    [
        {"candidate_sha256": sha("another")},
        {"case_set_root": sha("another")},
        {"policy_sha256": sha("another")},
    ],
)
def test_a_waiver_for_something_else_is_none(changed: dict[str, str]) -> None:
    decision = waived(*(waiver(name, **changed) for name in CHECKS))
    assert decision.verdict is Verdict.FAIL and decision.waivers == ()


def test_a_waiver_that_has_expired_blocks_again_and_is_said() -> None:
    decision = waived(*(waiver(name, expires="2025-03-30") for name in CHECKS))
    assert decision.verdict is Verdict.FAIL
    assert [note.state for note in decision.waivers] == ["expired", "expired"]


def test_a_waiver_that_is_not_needed_is_said() -> None:
    decision = waived(waiver(CHECKS[0]), candidate=scored(CASES))
    assert decision.verdict is Verdict.PASS and decision.waivers[0].state == "not_needed"


NAN = replace(LOST, scores=np.full(400, np.nan))
FEWER = replace(LOST, case_ids=LOST.case_ids[1:], scores=LOST.scores[1:])


@pytest.mark.parametrize(
    "given",
    [
        lambda: {"candidate": NAN},
        lambda: {"candidate": replace(LOST, operating_point=np.inf)},
        lambda: {"candidate": FEWER},
        lambda: {"golden": None},
        lambda: {"champion": replace(scored(CASES), model_sha256=LOST.model_sha256)},
        lambda: {"evaluator": None},
        lambda: {"evaluator": EvaluatorFindings(False, faults=("judged 5 cases, wanted 400",))},
        lambda: {"evaluator": EvaluatorFindings(False)},
        lambda: {"evaluator": EvaluatorFindings(False, ("auc 0.7",), ("judged 5 cases",))},
    ],
)
def test_what_no_person_can_answer_for_is_never_waived(given: Callable[[], Any]) -> None:
    everything = {check.check for check in judged(**given()).checks}
    decision = waived(*map(waiver, {*everything, *CHECKS}), **given())
    assert decision.verdict is not Verdict.PASS and decision.exit_code != 0


def test_a_lost_sentinel_is_never_waived() -> None:
    case_set = locked(200, 200, sentinels=[7])
    given = {"candidate": scored(case_set, wrong=[7]), "case_set": case_set}
    names = [check.check for check in judged(**given).checks]  # type: ignore[arg-type]
    waivers = [waiver(name, case_set_root=case_set.merkle_root) for name in names]
    decision = judged(waivers=waivers, **given)  # type: ignore[arg-type]
    assert decision.verdict is Verdict.FAIL
    assert [c.check for c in decision.checks if c.open] == [
        "sentinels.champion",
        "sentinels.golden",
    ]


def test_the_evaluators_thresholds_can_be_waived() -> None:
    decision = waived(
        *map(waiver, [*CHECKS, "evaluator"]),
        evaluator=EvaluatorFindings(False, failures=("sensitivity[overall] 0.9000",)),
    )
    assert decision.verdict is Verdict.PASS and result(decision, "evaluator").waived


def test_a_broken_gate_cannot_be_waived(monkeypatch: pytest.MonkeyPatch) -> None:
    from components.gate import rules

    monkeypatch.setattr(rules, "margin_verdict", lambda *bounds: Verdict.INCONCLUSIVE)
    names = [check.check for check in judged(LOST).checks]
    decision = waived(*map(waiver, names))
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 70)
