"""What an attempt came to where the gate itself could not do its work."""

from dataclasses import replace

import pytest

from components.decision import CheckResult, Verdict
from pipeline.settings.config import load_config
from pipeline.unattended.retraining.result import settled
from pipeline.unattended.retraining.tries import ChildOutcome, Try
from tests.pipeline.unattended.retraining.making import decision
from tests.pipeline.unattended.retraining.test_journal import BEGUN

BROKEN = CheckResult("self_test", "self_test", Verdict.INCONCLUSIVE, "the gate is broken")


@pytest.mark.parametrize("code", [4, 5, 70])
def test_a_gate_that_could_not_judge_is_a_failure_with_its_reason(code: int) -> None:
    made = replace(decision("INCONCLUSIVE"), exit_code=code, checks=(BROKEN,))
    outcome = ChildOutcome(made, code, False, False, 3, None, "report.html")
    attempt = settled(BEGUN, [Try(code, 1.0, outcome=outcome)], load_config(None), again=False)
    assert (attempt.state, attempt.exit_code) == ("failed", code)
    assert attempt.error == "self_test: the gate is broken"


@pytest.mark.parametrize("version, state", [(3, "nothing_new"), (4, "released")])
def test_after_a_death_it_is_what_is_served_that_tells_whether_it_released(
    version: int, state: str
) -> None:
    outcome = ChildOutcome(decision("PASS"), 0, True, True, version, None, "report.html")
    attempt = settled(BEGUN, [Try(0, 1.0, outcome=outcome)], load_config(None), again=True)
    assert (BEGUN.version_before, attempt.state) == (3, state)
