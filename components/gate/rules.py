"""The rules that a candidate has to pass, each applied once and answered with a CheckResult.

Every bound is one-sided at the check's alpha. All gating rules must pass (an intersection-union
test), so alpha is not split among them. A bound that equals its limit is PASS for a floor and for
a ceiling, and never for a margin.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from components.decision import CheckResult, Verdict
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Check, NegativeFlips, Policy
from components.metrics import METRICS, Estimate, Outputs
from components.records.errors import NothingEvaluated, TooFewCases
from components.records.text import first_few
from components.statistics.intervals import clopper_pearson

JUDGING = ("floor", "ceiling", "non_inferiority")


def floor_verdict(lower: float, upper: float, floor: float) -> Verdict:
    """PASS where the lower bound reaches the floor, FAIL where the upper one is below it."""
    if lower >= floor:
        return Verdict.PASS
    return Verdict.FAIL if upper < floor else Verdict.INCONCLUSIVE


def ceiling_verdict(lower: float, upper: float, ceiling: float) -> Verdict:
    """PASS where the upper bound is within the ceiling, FAIL where the lower one is above it."""
    return floor_verdict(-upper, -lower, -ceiling)


def margin_verdict(lower: float, upper: float, margin: float) -> Verdict:
    """PASS where the lower bound is above -margin, FAIL where the upper one is below it."""
    if lower > -margin:
        return Verdict.PASS
    return Verdict.FAIL if upper < -margin else Verdict.INCONCLUSIVE


def overall_verdict(checks: Iterable[CheckResult]) -> Verdict:
    """FAIL where any check fails, INCONCLUSIVE where any is or no metric was judged, else PASS.

    Supporting checks don't count, waived ones don't block.
    """
    gating = [result for result in checks if result.role == "gate"]
    verdicts = {result.verdict for result in gating if result.open}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    judged = any(result.rule in JUDGING for result in gating)
    if Verdict.INCONCLUSIVE in verdicts or not judged:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


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
        for result in _apply_check(check, policy, cases, candidate, baselines)
    ]
    for name, baseline in baselines.items():
        lost = baseline.right & ~candidate.right
        if policy.negative_flips:
            results.append(_negative_flips(policy.negative_flips, lost, name, policy.alpha))
        if cases.sentinels.any():
            results.append(sentinel_check(cases, lost, name))
    return results


def judged_part(
    policy: Policy, cases: JudgedCases, model: Outputs, mask: NDArray[np.bool_]
) -> Outputs:
    """A model's answers on `mask`, with several images of a patient taken as the policy says."""
    part = model.where(mask)
    if policy.patients == "aggregated":
        return part.by_patient(cases.patients[mask])
    return part


def _apply_check(
    check: Check,
    policy: Policy,
    cases: JudgedCases,
    candidate: Outputs,
    baselines: Mapping[str, Outputs],
) -> Iterator[CheckResult]:
    metric = METRICS[check.metric]
    mask = cases.mask(check.slice)
    ours = judged_part(policy, cases, candidate, mask)
    try:
        estimate = metric.estimate(ours, alpha=check.alpha, method=check.method)
        changes = {
            name: metric.change(
                ours,
                judged_part(policy, cases, baseline, mask),
                alpha=check.alpha,
                method=check.paired_method,
            )
            for name, baseline in baselines.items()
            if name in check.margins
        }
    except NothingEvaluated as error:
        yield _nothing_to_judge(check, ours, error)
        return
    if check.limit is not None:
        beside = None
        if check.method == "clopper_pearson":
            beside = metric.estimate(ours, alpha=check.alpha, method="wilson")
        yield _limit(check, check.limit, estimate, beside)
    for name, change in changes.items():
        yield _margin(check, check.margins[name], change, name)


def _nothing_to_judge(check: Check, ours: Outputs, error: NothingEvaluated) -> CheckResult:
    positives = int(np.count_nonzero(ours.labels))
    reason = str(error)
    if isinstance(error, TooFewCases):
        reason = (
            f"{check.slice_name} has {positives} positive and {ours.labels.size - positives} "
            f"negative cases: too few to judge {check.metric}; correct the slice or the case set"
        )
    return CheckResult(
        check=f"{check.name}.cases",
        rule=check.limit_rule if check.limit is not None else "non_inferiority",
        verdict=Verdict.FAIL,
        reason=reason,
        metric=check.metric,
        slice=check.slice_name,
        role=check.role,
    )


def _limit(check: Check, limit: float, found: Estimate, beside: Estimate | None) -> CheckResult:
    """`beside`: Wilson's bounds, shown next to exact ones."""
    rule = check.limit_rule
    if rule == "floor":
        verdict = floor_verdict(found.lower, found.upper, limit)
        passed = f"lower bound {found.lower:.4f} reaches the floor {limit}"
        failed = f"upper bound {found.upper:.4f} is below the floor {limit}"
    else:
        verdict = ceiling_verdict(found.lower, found.upper, limit)
        passed = f"upper bound {found.upper:.4f} is within the ceiling {limit}"
        failed = f"lower bound {found.lower:.4f} is above the ceiling {limit}"
    reason = {
        Verdict.PASS: passed,
        Verdict.FAIL: failed,
        Verdict.INCONCLUSIVE: f"the {rule} {limit} lies within the bounds {found.lower:.4f} to "
        f"{found.upper:.4f}: too few cases to tell",
    }[verdict]
    if beside:
        reason += f" (Wilson {beside.lower:.4f} to {beside.upper:.4f})"
    return CheckResult(
        check=f"{check.name}.{rule}",
        rule=rule,
        verdict=verdict,
        reason=reason,
        metric=check.metric,
        slice=check.slice_name,
        limit=limit,
        role=check.role,
        **vars(found),
    )


def _margin(check: Check, margin: float, change: Estimate, against: str) -> CheckResult:
    higher = METRICS[check.metric].higher_is_better
    # A loss is a fall of one metric and a rise of another; from here on it is a fall.
    lower, upper = (change.lower, change.upper) if higher else (-change.upper, -change.lower)
    verdict = margin_verdict(lower, upper, margin)
    reason = {
        Verdict.PASS: f"the loss is at most {max(0.0, -lower):.4f}, less than the margin {margin}",
        Verdict.FAIL: f"the loss is at least {-upper:.4f}, more than the margin {margin}",
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
        limit=-margin if higher else margin,
        role=check.role,
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


def sentinel_check(cases: JudgedCases, lost: NDArray[np.bool_], against: str) -> CheckResult:
    """A check that none of the cases in `lost`, shape (n_cases,), is never to be missed."""
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
