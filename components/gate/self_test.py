"""The gate tried on planted inputs, on every run, before anyone relies on its verdict.

A copy of the candidate that lost as much as each rule forbids must be blocked by that rule, and a
baseline must not be worse than itself. A gate that fails here is broken and must release nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from components.decision import CheckResult, SelfTest, Verdict
from components.errors import TooFewCases
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Check, Policy
from components.gate.rules import apply_rules
from components.metrics import METRICS, Outputs
from components.statistics.intervals import normal_quantile


def self_tests(
    policy: Policy, cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> list[SelfTest]:
    """Every self-test that these inputs allow; the arguments are those of `apply_rules`."""
    tests = [
        test
        for check in policy.checks
        if (test := _degraded(check, policy, cases, candidate, baselines))
    ]
    return tests + [
        _against_itself(policy, cases, baseline, name) for name, baseline in baselines.items()
    ]


def _degraded(
    check: Check,
    policy: Policy,
    cases: JudgedCases,
    candidate: Outputs,
    baselines: Mapping[str, Outputs],
) -> SelfTest | None:
    """None where the check has nothing to judge, or no loss that it forbids is possible."""
    mask = cases.mask(check.slice)
    try:
        values = {name: _value(check, model.where(mask)) for name, model in baselines.items()}
        _value(check, candidate.where(mask))
    except TooFewCases:
        return None
    targets = [] if check.floor is None else [check.floor]
    # A baseline that is hardly ever right has no margin to lose: then no copy is too bad for it.
    rivals = {name: baselines[name] for name in values if values[name] > (check.margin or 0)}
    if check.margin is not None:
        targets += [values[name] - check.margin for name in rivals]
    if not targets:
        return None
    copy = _lowered(check, cases, candidate, min(targets))
    alone = replace(policy, checks=(check,), negative_flips=None)
    results = apply_rules(alone, cases, copy, rivals)
    passed = [r.check for r in results if r.rule != "sentinel" and r.verdict is Verdict.PASS]
    return SelfTest(
        name=f"{check.name} of a degraded copy",
        wanted="no PASS",
        got=f"PASS: {', '.join(passed)}" if passed else "no PASS",
        passed=not passed,
    )


def _value(check: Check, model: Outputs) -> float:
    return METRICS[check.metric].estimate(model, alpha=0.025, method=check.method).estimate


def _lowered(check: Check, cases: JudgedCases, candidate: Outputs, target: float) -> Outputs:
    """The candidate with its metric at or below `target`, by turning right cases wrong."""
    scores = candidate.scores.copy()
    mask, judges = cases.mask(check.slice), METRICS[check.metric].judges
    if judges == "all":  # a ranking metric: every positive below every negative
        scores[mask] = np.where(cases.labels[mask], 0.0, 1.0)
        return replace(candidate, scores=scores)
    judged = mask & (cases.labels if judges == "positives" else ~cases.labels)
    right = np.flatnonzero(judged & candidate.right)
    keep = max(0, math.floor(target * np.count_nonzero(judged)))
    turned = right[keep:]
    point = candidate.operating_point
    scores[turned] = np.where(cases.labels[turned], np.nextafter(point, -np.inf), point)
    return replace(candidate, scores=scores)


def _against_itself(policy: Policy, cases: JudgedCases, baseline: Outputs, name: str) -> SelfTest:
    results = apply_rules(policy, cases, baseline, {name: baseline})
    wrong = [result.check for result in results if not _non_inferior(result, policy, cases)]
    return SelfTest(
        name=f"{name} against itself",
        wanted="not inferior",
        got=f"inferior: {', '.join(wrong)}" if wrong else "not inferior",
        passed=not wrong,
    )


def _non_inferior(result: CheckResult, policy: Policy, cases: JudgedCases) -> bool:
    if result.against == "none":  # a floor says nothing of a model against itself
        return True
    if result.rule != "non_inferiority":
        return result.verdict is Verdict.PASS
    # With no case gained or lost, Tango's bound is z^2 / (n + z^2) in closed form: with fewer cases
    # than that needs, not even a model against itself can be shown to be as good.
    z = normal_quantile(policy.alpha)
    margin = -(result.limit or 0.0)
    pairs = _pairs(result, policy, cases)
    provable = z * z / (pairs + z * z) < margin * (1 - 1e-9)
    wanted = (Verdict.PASS,) if provable else (Verdict.PASS, Verdict.INCONCLUSIVE)
    return result.estimate == 0 and result.verdict in wanted


def _pairs(result: CheckResult, policy: Policy, cases: JudgedCases) -> int:
    """The independent observations behind a result: cases, or for a ranking pairs of them."""
    if METRICS[str(result.metric)].judges != "all":
        return result.n
    check = next(c for c in policy.checks if c.slice_name == result.slice)
    labels = cases.labels[cases.mask(check.slice)]
    positives = int(np.count_nonzero(labels))
    return min(positives, labels.size - positives)
