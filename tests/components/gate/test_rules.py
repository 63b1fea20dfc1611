import pytest

from components.decision import Verdict
from components.gate.rules import floor_verdict, margin_verdict


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


@pytest.mark.parametrize("judge", [floor_verdict, margin_verdict])
def test_nan_never_passes(judge: object) -> None:
    assert judge(float("nan"), float("nan"), 0.05) is not Verdict.PASS  # type: ignore[operator]
