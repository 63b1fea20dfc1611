"""The rules a candidate is held to, each applied once and answered with a CheckResult.

Every bound is one-sided at the policy's alpha. All rules must pass (an intersection-union test), so
alpha is not split among them. A bound that equals its limit is PASS for a floor and for a ceiling,
and never for a margin.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from components.baselines.rows import first_few
from components.decision import CheckResult, Verdict
from components.errors import TooFewCases
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Check, NegativeFlips, Policy
from components.metrics import METRICS, Estimate, Outputs
from components.statistics.intervals import clopper_pearson, wilson


def floor_verdict(lower: float, upper: float, floor: float) -> Verdict:
    """PASS where the lower bound reaches the floor, FAIL where the upper one is below it."""
    if lower >= floor:
        return Verdict.PASS
    return Verdict.FAIL if upper < floor else Verdict.INCONCLUSIVE


def margin_verdict(lower: float, upper: float, margin: float) -> Verdict:
    """PASS where the lower bound is above -margin, FAIL where the upper one is below it."""
    if lower > -margin:
        return Verdict.PASS
    return Verdict.FAIL if upper < -margin else Verdict.INCONCLUSIVE


def apply_rules(
    policy: Policy, cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> list[CheckResult]:
    """Every check of the policy, negative flips and sentinels, against each of `baselines`.

    Args:
      candidate, baselines: answers on all of `cases`, in their order; finite.
      baselines: by name, champion or golden.
    """
    results = [
        result
        for check in policy.checks
        for result in _apply_check(check, policy.alpha, cases, candidate, baselines)
    ]
    for name, baseline in baselines.items():
        lost = baseline.right & ~candidate.right
        if policy.negative_flips:
            results.append(_negative_flips(policy.negative_flips, lost, name, policy.alpha))
        if cases.sentinels.any():
            results.append(_sentinels(cases, lost, name))
    return results


def _apply_check(
    check: Check,
    alpha: float,
    cases: JudgedCases,
    candidate: Outputs,
    baselines: Mapping[str, Outputs],
) -> Iterator[CheckResult]:
    metric = METRICS[check.metric]
    mask = cases.mask(check.slice)
    ours = candidate.where(mask)
    try:
        estimate = metric.estimate(ours, alpha=alpha, method=check.method)
    except TooFewCases:
        yield _nothing_to_judge(check, ours)
        return
    if check.floor is not None:
        yield _floor(check, check.floor, estimate, alpha)
    if check.margin is not None:
        for name, baseline in baselines.items():
            change = metric.change(ours, baseline.where(mask), alpha=alpha)
            yield _margin(check, check.margin, change, name)


def _nothing_to_judge(check: Check, ours: Outputs) -> CheckResult:
    positives = int(np.count_nonzero(ours.labels))
    return CheckResult(
        check=f"{check.name}.cases",
        rule="floor" if check.floor is not None else "non_inferiority",
        verdict=Verdict.FAIL,
        reason=f"{check.slice_name} has {positives} positive and {ours.labels.size - positives} "
        f"negative cases: too few to judge {check.metric}; correct the slice or the case set",
        metric=check.metric,
        slice=check.slice_name,
    )


def _floor(check: Check, floor: float, estimate: Estimate, alpha: float) -> CheckResult:
    verdict = floor_verdict(estimate.lower, estimate.upper, floor)
    reason = {
        Verdict.PASS: f"lower bound {estimate.lower:.4f} reaches the floor {floor}",
        Verdict.FAIL: f"upper bound {estimate.upper:.4f} is below the floor {floor}",
        Verdict.INCONCLUSIVE: f"the floor {floor} lies within the bounds {estimate.lower:.4f} to "
        f"{estimate.upper:.4f}: too few cases to tell",
    }[verdict]
    if estimate.method == "clopper_pearson":
        shown = wilson(round(estimate.estimate * estimate.n), estimate.n, alpha=alpha)
        reason += f" (Wilson {float(shown.lower):.4f} to {float(shown.upper):.4f})"
    return CheckResult(
        check=f"{check.name}.floor",
        rule="floor",
        verdict=verdict,
        reason=reason,
        metric=check.metric,
        slice=check.slice_name,
        limit=floor,
        **vars(estimate),
    )


def _margin(check: Check, margin: float, change: Estimate, against: str) -> CheckResult:
    verdict = margin_verdict(change.lower, change.upper, margin)
    reason = {
        Verdict.PASS: f"the loss is at most {max(0.0, -change.lower):.4f}, less than the margin "
        f"{margin}",
        Verdict.FAIL: f"the loss is at least {-change.upper:.4f}, more than the margin {margin}",
        Verdict.INCONCLUSIVE: f"a loss of the margin {margin} lies within the bounds "
        f"{change.lower:+.4f} to {change.upper:+.4f}: too few cases to tell",
    }[verdict]
    return CheckResult(
        check=f"{check.name}.non_inferiority.{against}",
        rule="non_inferiority",
        verdict=verdict,
        reason=reason,
        metric=check.metric,
        slice=check.slice_name,
        against=against,
        limit=-margin,
        **vars(change),
    )


def _negative_flips(
    rule: NegativeFlips, lost: NDArray[np.bool_], against: str, alpha: float
) -> CheckResult:
    count, n = int(np.count_nonzero(lost)), lost.size
    bounds = clopper_pearson(count, n, alpha=alpha)
    within = count / n <= rule.ceiling
    return CheckResult(
        check=f"negative_flips.{against}",
        rule="negative_flips",
        verdict=Verdict.PASS if within else Verdict.FAIL,
        reason=f"{count} of {n} cases turned from right to wrong, "
        f"{'within' if within else 'above'} the ceiling {rule.ceiling}",
        against=against,
        n=n,
        estimate=count / n,
        lower=float(bounds.lower),
        upper=float(bounds.upper),
        limit=rule.ceiling,
        method="clopper_pearson",
    )


def _sentinels(cases: JudgedCases, lost: NDArray[np.bool_], against: str) -> CheckResult:
    missed = cases.chosen(lost & cases.sentinels)
    return CheckResult(
        check=f"sentinels.{against}",
        rule="sentinel",
        verdict=Verdict.FAIL if missed else Verdict.PASS,
        reason=f"never-miss cases turned wrong: {first_few(missed)}"
        if missed
        else "no never-miss case turned wrong",
        against=against,
        n=int(np.count_nonzero(cases.sentinels)),
    )
