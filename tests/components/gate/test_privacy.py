from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components.decision import CheckResult, Verdict
from components.gate.policy import PrivacyLimit
from components.privacy.mechanism import ACCOUNTANT, ADJACENCY, SAMPLING, Mechanism, epsilon
from tests.components.gate.test_decide import CASES, MARGIN, judged, result
from tests.components.planting import scored

MECHANISM = Mechanism(noise_multiplier=1.5, rate=0.1, steps=40)
EPSILON = epsilon(MECHANISM, 1e-5)
PROMISE = {
    "epsilon": EPSILON,
    "delta": 1e-5,
    "unit": "patient",
    "adjacency": ADJACENCY,
    "sampling": SAMPLING,
    **vars(MECHANISM),
    "accountant": ACCOUNTANT,
}


def checked(said: Mapping[str, Any], ceiling: float = EPSILON + 0.01, **limit: Any) -> CheckResult:
    rules = replace(MARGIN, privacy=PrivacyLimit(ceiling, "planted", **limit))
    decision = judged(replace(scored(CASES), privacy=said), rules=rules)
    found = result(decision, "privacy.epsilon")
    if found.role == "gate":
        assert decision.verdict is found.verdict
    return found


def test_a_promise_within_the_ceiling_passes_with_the_epsilon_that_was_computed() -> None:
    found = checked(PROMISE)
    assert found.verdict is Verdict.PASS
    assert (found.estimate, found.limit) == (pytest.approx(EPSILON), EPSILON + 0.01)


def test_a_promise_above_the_ceiling_fails() -> None:
    found = checked(PROMISE, ceiling=EPSILON - 0.01)
    assert found.verdict is Verdict.FAIL and found.estimate == pytest.approx(EPSILON)


@pytest.mark.parametrize(
    "edit",
    [
        {"epsilon": EPSILON / 2},
        {"epsilon": float("nan")},
        {"noise_multiplier": 3.0},
        {"noise_multiplier": float("nan")},
        {"noise_multiplier": 0.0},
        {"steps": 4},
        {"steps": 10**15},
        {"steps": "many"},
        {"rate": 0.01},
        {"rate": 2.0},
        {"delta": 1e-4},
        {"delta": 0.0},
        {"delta": None},
        {"sampling": "shuffled"},
        {"adjacency": "one unit replaced"},
        {"accountant": "moments"},
        {"unit": "image"},
        {"unit": "hospital"},
        {"unit": ["patient"]},
    ],
    ids=str,
)
def test_a_promise_with_a_fault_fails(edit: Mapping[str, Any]) -> None:
    found = checked({**PROMISE, **edit})
    assert found.verdict is Verdict.FAIL and found.estimate is None


@pytest.mark.parametrize("key", [key for key in PROMISE])
def test_a_promise_without_one_of_its_parts_fails(key: str) -> None:
    assert checked({k: v for k, v in PROMISE.items() if k != key}).verdict is Verdict.FAIL


def test_a_model_that_promises_nothing_fails() -> None:
    assert checked({}).verdict is Verdict.FAIL


def test_a_policy_may_be_content_with_images() -> None:
    assert checked({**PROMISE, "unit": "image"}, unit="image").verdict is Verdict.PASS
    assert checked(PROMISE, unit="image").verdict is Verdict.PASS


def test_a_supporting_check_decides_nothing() -> None:
    assert checked({}, role="supporting").verdict is Verdict.FAIL
    rules = replace(MARGIN, privacy=PrivacyLimit(1.0, "planted", role="supporting"))
    assert judged(scored(CASES), rules=rules).verdict is Verdict.PASS


def test_without_a_ceiling_nothing_is_asked() -> None:
    assert not [check for check in judged().checks if check.rule == "privacy"]
