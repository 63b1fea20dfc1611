"""What an attempt came to where the gate itself could not do its work."""

from dataclasses import replace

import pytest

from components.decision import CheckResult, Verdict
from pipeline.config import load_config
from pipeline.retraining.result import settled
from pipeline.retraining.tries import Outcome, Try
from tests.pipeline.retraining.making import decision
from tests.pipeline.retraining.test_journal import BEGUN

BROKEN = CheckResult("self_test", "self_test", Verdict.INCONCLUSIVE, "the gate is broken")


@pytest.mark.parametrize("code", [4, 5, 70])
def test_a_gate_that_could_not_judge_is_a_failure_with_its_reason(code: int) -> None:
    made = replace(decision("INCONCLUSIVE"), exit_code=code, checks=(BROKEN,))
    outcome = Outcome(made, code, False, False, 3, None, "report.html")
    attempt = settled(BEGUN, [Try(code, 1.0, outcome=outcome)], load_config(None), again=False)
    assert (attempt.state, attempt.exit_code) == ("failed", code)
    assert attempt.error == "self_test: the gate is broken"


@pytest.mark.parametrize("version, state", [(3, "nothing_new"), (4, "released")])
def test_after_a_death_it_is_what_is_served_that_tells_whether_it_released(
    version: int, state: str
) -> None:
    outcome = Outcome(decision("PASS"), 0, True, True, version, None, "report.html")
    attempt = settled(BEGUN, [Try(0, 1.0, outcome=outcome)], load_config(None), again=True)
    assert (BEGUN.version_before, attempt.state) == (3, state)
