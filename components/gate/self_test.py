"""The gate tried on planted inputs, on every run, before anyone relies on its verdict.

A copy of the candidate that lost as much as each rule forbids must be blocked by that rule, and a
baseline must not be worse than itself. A gate that fails here is broken and must release nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from components.baselines.scores import Attention
from components.decision import CheckResult, SelfTest, Verdict
from components.gate.attention import attention_checks
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Check, Policy
from components.gate.rules import apply_rules, judged_part
from components.metrics import METRICS, Outputs
from components.records.errors import NothingEvaluated
from components.statistics.clustered import effective_size
from components.statistics.intervals import normal_quantile

# A copy that is certain and wrong of every case has a Brier score and an ECE of 1.
WORST = 1.0


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


def attention_self_tests(
    policy: Policy, cases: JudgedCases, candidate: Attention | None, champion: Attention | None
) -> list[SelfTest]:
    """A copy of the candidate without heat in any lesion; none where that is no forbidden loss."""
    shares = {id_: (0.0, area) for id_, (_, area) in candidate.shares.items()} if candidate else {}
    results = attention_checks(policy, cases, Attention(shares), champion) if shares else []
    return [
        SelfTest(
            name=f"{result.check} of a copy that looks elsewhere",
            wanted="no PASS",
            got="PASS" if result.verdict is Verdict.PASS else "no PASS",
            passed=result.verdict is not Verdict.PASS,
        )
        for result in results
        if result.estimate is not None and result.estimate <= (result.limit or 0.0)
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

    def value(model: Outputs) -> float:
        part = judged_part(policy, cases, model, mask)
        return METRICS[check.metric].estimate(part, alpha=0.025, method=check.method).estimate

    try:
        values = {name: value(baselines[name]) for name in check.margins if name in baselines}
        value(candidate)
    except NothingEvaluated:
        return None
    rivals, target = _forbidden(check, values)
    if target is None:
        return None
    copy = _lowered(check, policy, cases, candidate, target)
    alone = replace(policy, checks=(check,), negative_flips=None)
    results = apply_rules(alone, cases, copy, {name: baselines[name] for name in rivals})
    passed = [r.check for r in results if r.rule != "sentinel" and r.verdict is Verdict.PASS]
    return SelfTest(
        name=f"{check.name} of a degraded copy",
        wanted="no PASS",
        got=f"PASS: {', '.join(passed)}" if passed else "no PASS",
        passed=not passed,
    )


def _forbidden(check: Check, values: Mapping[str, float]) -> tuple[list[str], float | None]:
    """The baselines that leave room for a loss, and a value that no rule of the check may pass.

    A baseline that is hardly ever right has no margin to lose, and one whose scores are already
    far from the outcomes can hardly be worse: then no copy is too bad for it.
    """
    limits = [] if check.limit is None else [check.limit]
    if METRICS[check.metric].higher_is_better:
        rivals = [name for name, value in values.items() if value > check.margins[name]]
        limits += [values[name] - check.margins[name] for name in rivals]
        return rivals, min(limits, default=None)
    rivals = [name for name, value in values.items() if value + check.margins[name] < WORST]
    limits += [values[name] + check.margins[name] for name in rivals]
    worst = max(limits, default=None)
    return rivals, worst if worst is not None and worst < WORST else None


def _lowered(
    check: Check, policy: Policy, cases: JudgedCases, candidate: Outputs, target: float
) -> Outputs:
    """The candidate with its metric at or beyond `target`."""
    scores = candidate.scores.copy()
    mask, judges = cases.mask(check.slice), METRICS[check.metric].judges
    if judges == "all":  # every positive below every negative, and certain of it
        scores[mask] = np.where(cases.labels[mask], 0.0, 1.0)
        return replace(candidate, scores=scores)
    units = np.arange(scores.size)
    positive = cases.labels
    if policy.patients == "aggregated":
        units = cases.patients
        ill = np.zeros(units.max() + 1, np.bool_)
        ill[units[mask & cases.labels]] = True
        positive = ill[units]
    judged = mask & (positive if judges == "positives" else ~positive)
    # A patient may have right and wrong cases; all of its cases turn, so none of it stays right.
    right = np.unique(units[judged & candidate.right])
    keep = max(0, math.floor(target * np.unique(units[judged]).size))
    turned = judged & np.isin(units, right[keep:])
    point = candidate.operating_point
    scores[turned] = np.where(positive[turned], np.nextafter(point, -np.inf), point)
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
    if result.against == "none":  # a limit says nothing of a model against itself
        return True
    if result.rule != "non_inferiority":
        return result.verdict is Verdict.PASS
    # With no case gained or lost, Tango's bound is z^2 / (n + z^2) in closed form: with fewer cases
    # than that needs, not even a model against itself can be shown to be as good.
    check = next(c for c in policy.checks if result.check.startswith(f"{c.name}.non_inferiority"))
    z = normal_quantile(check.alpha)
    pairs = _pairs(check, policy, cases)
    tango = check.paired_method in ("tango", "delong")
    provable = tango and z * z / (pairs + z * z) < abs(result.limit or 0.0) * (1 - 1e-9)
    wanted = (Verdict.PASS,) if provable else (Verdict.PASS, Verdict.INCONCLUSIVE)
    return result.estimate == 0 and result.verdict in wanted


def _pairs(check: Check, policy: Policy, cases: JudgedCases) -> float:
    """The independent observations behind a check: cases or patients, for a ranking pairs."""
    mask = cases.mask(check.slice)
    judges = METRICS[check.metric].judges
    positives, negatives = (
        _units(mask & of, policy, cases) for of in (cases.labels, ~cases.labels)
    )
    return {"positives": positives, "negatives": negatives}.get(judges, min(positives, negatives))


def _units(mask: NDArray[np.bool_], policy: Policy, cases: JudgedCases) -> float:
    """How many independent observations of no change the masked cases are."""
    patients = cases.patients[mask]
    if policy.patients == "independent" or not patients.size:
        return patients.size
    if policy.patients == "aggregated":
        return np.unique(patients).size
    return effective_size(np.zeros(patients.size, np.int8), patients)
