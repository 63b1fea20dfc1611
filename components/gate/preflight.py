"""What a policy can prove on a case set, worked out before anything is trained.

A check that not even the best model passes would block every honest candidate for ever. How much a
floor or a margin tolerates is found by the gate's own functions: they are applied to the best model
there can be, one that is right of every case, and then to copies of it that have more and more
patients wrong.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.case_set import CaseSet
from components.decision import Verdict
from components.gate.judged_cases import JudgedCases
from components.gate.policy import BASELINES, Check, Policy
from components.gate.rules import floor_verdict, judged_part, margin_verdict
from components.metrics import METRICS, Outputs
from components.records.errors import NothingEvaluated, PolicyError
from components.statistics import power
from components.statistics.clustered import effective_size
from components.statistics.power import fewest_cases_for_floor, fewest_cases_for_margin

COUNTED = {"sensitivity": "positive", "specificity": "negative"}
Passes = Callable[[Outputs], bool]


@dataclass(frozen=True, kw_only=True)
class CheckOutlook:
    """What counts alone say of one rule.

    Attributes:
      check: as a decision names it, such as `sensitivity[overall].floor`.
      rule: floor, ceiling, non_inferiority, negative_flips, sentinel or alike.
      slice: of an exported artefact's agreement its kind.
      n: how many cases it is judged on, or patients where the policy aggregates to them; `kind`:
        of what kind, such as `positive cases`.
      worth: as many independent cases prove no more than these; fewer than n where a patient has
        several.
      limit: a floor, a ceiling, a number of sentinels, or a margin without its sign.
      method: the interval that decides.
      possible: whether the best model passes; None where that depends on its scores.
      tolerates: most of the n that may be wrong (floor), or lost while none is gained, if whole
        patients are; None where unknown or where it can never pass.
      fewest: fewest independent cases on which the best model passes, to hold against `worth`;
        None where unknown.
    """

    check: str
    rule: str
    metric: str | None = None
    slice: str | None = None
    against: str = "none"
    role: str = "gate"
    n: int
    worth: float
    kind: str
    limit: float
    alpha: float | None = None
    method: str | None = None
    possible: bool | None
    tolerates: int | None = None
    fewest: int | None = None

    @property
    def hopeless(self) -> bool:
        """Whether it blocks every candidate."""
        return self.possible is False and self.role == "gate"


def preflight(policy: Policy, case_set: CaseSet) -> tuple[CheckOutlook, ...]:
    """Every rule that counts can say something about, in the policy's order.

    Where a patient has several cases, they are taken to be always right or wrong together, which
    is the least that they can prove.
    """
    return tuple(_outlooks(policy, JudgedCases(case_set), losses=True))


def refuse_hopeless(policy: Policy, case_set: CaseSet, *, path: Path | None = None) -> None:
    """Raises PolicyError where a gating check can never pass: names it, its n, what it needs.

    Args:
      path: of the policy, for whoever has to edit it.
    """
    cases = JudgedCases(case_set)
    hopeless = hopeless_checks(policy, cases)
    if not hopeless:
        return
    first = hopeless[0]
    check = next((c for c in policy.checks if first.check.startswith(f"{c.name}.")), None)
    limit = provable_limit(policy, cases, check, first) if check else None
    nearest = "" if limit is None else f": {limit:.2f} can be proven"
    more = f"; nor can {len(hopeless) - 1} more" if len(hopeless) > 1 else ""
    where = f"{path}: " if path else ""
    raise PolicyError(
        f"{where}policy {policy.name}: {first.check} can never pass on {case_set.name} "
        f"version {case_set.version}: {_why(first)}{nearest}{more}"
    )


def hopeless_checks(policy: Policy, cases: JudgedCases) -> list[CheckOutlook]:
    """What blocks every candidate."""
    return [one for one in _outlooks(policy, cases, losses=False) if one.hopeless]


def provable_limit(
    policy: Policy, cases: JudgedCases, check: Check, outlook: CheckOutlook
) -> float | None:
    """The smallest wider margin, or the highest lower floor, that the best model passes.

    In whole hundredths; None where none does, or where more than counts decides.
    """
    if check.metric not in COUNTED or outlook.rule not in ("floor", "non_inferiority"):
        return None
    best, margin = judged_of(check, policy, cases), outlook.rule == "non_inferiority"
    first = math.floor(outlook.limit * 100 + 1e-9)
    for hundredths in range(first + 1, 100) if margin else range(first, 0, -1):
        limit = hundredths / 100
        passes = margin_passes(check, limit, best) if margin else floor_passes(check, limit)
        if possible(check, passes, best):
            return limit
    return None


def judged_of(
    check: Check, policy: Policy, cases: JudgedCases, model: Outputs | None = None
) -> Outputs:
    """The answers that a check judges; of a model that is right of every case where None is given.

    Args:
      model: answers on all of `cases`, in their order.
    """
    if model is None:
        patients = cases.patients if policy.patients == "clustered" else None
        model = Outputs(cases.labels, cases.labels.astype(np.float64), 0.5, patients)
    return judged_part(policy, cases, model, cases.mask(check.slice))


def _why(outlook: CheckOutlook) -> str:
    has = f"{outlook.n} {outlook.kind}"
    if outlook.slice not in (None, "overall"):
        has += f" in {outlook.slice}"
    if outlook.rule == "sentinel":
        return f"got {has}, wanted at least {outlook.fewest}; mark them with `casegate cases amend`"
    if outlook.rule == "alike":
        return (
            f"{outlook.n} cases cannot prove that {outlook.limit:g} of them are called alike, even "
            f"where all are; wanted {outlook.fewest}: add cases or set a lower agreement"
        )
    if outlook.metric not in COUNTED:
        return f"{has} do not hold 2 of each class; correct the slice or add cases"
    margin = outlook.rule == "non_inferiority"
    wanted = "" if outlook.fewest is None else f"wanted {outlook.fewest}: "
    if outlook.worth < outlook.n:
        has += f", which images of one patient make worth {outlook.worth:.0f},"
    return (
        f"{has} cannot prove a {'margin' if margin else 'floor'} of {outlook.limit:g} even of "
        f"{'an unchanged model' if margin else 'a model that is always right'}; {wanted}add cases "
        f"or set a {'wider margin' if margin else 'lower floor'}"
    )


def _outlooks(policy: Policy, cases: JudgedCases, *, losses: bool) -> Iterator[CheckOutlook]:
    """`losses`: whether `tolerates` is wanted, which takes most of the time."""
    for check in policy.checks:
        for outlook, passes, judged in _of_check(check, policy, cases):
            if losses and outlook.possible and judged is not None:
                outlook = replace(outlook, tolerates=most_wrong(passes, judged))
            yield outlook
    if policy.negative_flips:
        yield from _of_flips(policy.negative_flips.ceiling, len(cases.ids))
    if policy.sentinels:
        yield _of_sentinels(policy.sentinels.at_least, int(cases.sentinels.sum()))
    yield from (agreement_outlook(policy, kind, len(cases.ids)) for kind in policy.exports)


def _of_check(
    check: Check, policy: Policy, cases: JudgedCases
) -> Iterator[tuple[CheckOutlook, Passes, Outputs | None]]:
    """For the limit, and the margin against each baseline: the outlook, the rule, what it judges.

    The last is None where more than counts decides.
    """
    best = judged_of(check, policy, cases)
    judged = judged_only(check, best) if check.metric in COUNTED else None
    unit = "patients" if policy.patients == "aggregated" else "cases"
    common: dict[str, Any] = {
        "metric": check.metric,
        "slice": check.slice_name,
        "role": check.role,
        "n": best.labels.size if judged is None else judged.labels.size,
        "worth": float(best.labels.size) if judged is None else worth(judged),
        "kind": unit if judged is None else f"{COUNTED[check.metric]} {unit}",
        "alpha": check.alpha,
    }
    if check.limit is not None:
        passes = floor_passes(check, check.limit)
        outlook = CheckOutlook(
            check=f"{check.name}.{check.limit_rule}",
            rule=check.limit_rule,
            limit=check.limit,
            method=check.method,
            possible=possible(check, passes, best),
            fewest=fewest_cases_for_floor(check.limit, alpha=check.alpha, method=check.method)
            if judged
            else None,
            **common,
        )
        yield outlook, passes, judged
    for name, margin in check.margins.items():
        outlook = CheckOutlook(
            check=f"{check.name}.non_inferiority.{name}",
            rule="non_inferiority",
            against=name,
            limit=margin,
            method=check.paired_method,
            possible=possible(check, margin_passes(check, margin, best), best),
            fewest=fewest_cases_for_margin(margin, alpha=check.alpha, method=check.paired_method)
            if judged
            else None,
            **common,
        )
        yield outlook, margin_passes(check, margin, judged or best), judged


def _of_flips(ceiling: float, n: int) -> list[CheckOutlook]:
    # The largest count whose share, divided as the rule divides, is within the ceiling.
    most = math.ceil(ceiling * n) + 1
    while n and most / n > ceiling:
        most -= 1
    return [
        CheckOutlook(
            check=f"negative_flips.{name}",
            rule="negative_flips",
            against=name,
            n=n,
            worth=float(n),
            kind="cases",
            limit=ceiling,
            possible=n > 0,
            tolerates=most if n else None,
            fewest=1,
        )
        for name in BASELINES
    ]


def _of_sentinels(wanted: int, marked: int) -> CheckOutlook:
    return CheckOutlook(
        check="sentinels.marked",
        rule="sentinel",
        n=marked,
        worth=float(marked),
        kind="never-miss cases",
        limit=float(wanted),
        possible=marked >= wanted,
        fewest=wanted,
    )


def agreement_outlook(policy: Policy, kind: str, n: int) -> CheckOutlook:
    """Of an artefact that calls each of the cases as the model does."""
    rule = policy.export_rule(kind)
    tolerates = power.most_wrong(n, rule.agreement, alpha=policy.alpha) if n else None
    return CheckOutlook(
        check=f"exports[{kind}].agreement",
        rule="alike",
        slice=kind,
        against="candidate",
        role="gate" if rule.required else "supporting",
        n=n,
        worth=float(n),
        kind="cases",
        limit=rule.agreement,
        alpha=policy.alpha,
        method="clopper_pearson",
        possible=tolerates is not None,
        tolerates=tolerates,
        fewest=power.fewest_cases_for_floor(rule.agreement, alpha=policy.alpha),
    )


def floor_passes(check: Check, floor: float) -> Passes:
    """Whether a model passes the floor of `check`."""

    def passes(model: Outputs) -> bool:
        found = METRICS[check.metric].estimate(model, alpha=check.alpha, method=check.method)
        return floor_verdict(found.lower, found.upper, floor) is Verdict.PASS

    return passes


def margin_passes(check: Check, margin: float, baseline: Outputs) -> Passes:
    """Whether a model passes a margin of `check` against `baseline`."""

    def passes(model: Outputs) -> bool:
        metric = METRICS[check.metric]
        found = metric.change(model, baseline, alpha=check.alpha, method=check.paired_method)
        return margin_verdict(found.lower, found.upper, margin) is Verdict.PASS

    return passes


def possible(check: Check, passes: Passes, best: Outputs) -> bool | None:
    """Whether the best model passes; None where that depends on more than counts."""
    try:
        passed = passes(best)
    except NothingEvaluated:
        return False
    return passed if check.metric in COUNTED else None


def judged_only(check: Check, best: Outputs) -> Outputs:
    """The answers that a counted metric looks at."""
    return best.where(best.labels if check.metric == "sensitivity" else ~best.labels)


def most_wrong(passes: Passes, best: Outputs) -> int:
    """Most cases that may be wrong where whole patients are, those with the most cases first.

    Images of one patient that are wrong together count for least, so that a candidate may have at
    least so many wrong.

    Args:
      best: answers of a model that passes, all right, and all of one class.
    """
    order = np.arange(best.labels.size)
    sizes = np.ones(order.size, np.int64)
    if best.patients is not None:
        _, codes, sizes = np.unique(best.patients, return_inverse=True, return_counts=True)
        place = np.empty(sizes.size, np.int64)
        place[np.argsort(-sizes, kind="stable")] = np.arange(sizes.size)
        order, sizes = place[codes], np.sort(sizes)[::-1]
    good, bad = 0, sizes.size + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        turned = np.where(order < middle, 1 - best.scores, best.scores)
        good, bad = (middle, bad) if passes(replace(best, scores=turned)) else (good, middle)
    return int(sizes[:good].sum())


def worth(judged: Outputs) -> float:
    """Independent cases that prove no more than these: patients, where each has as many cases."""
    n = judged.labels.size
    if judged.patients is None or n == 0:
        return float(n)
    return effective_size(np.ones(n, np.bool_), judged.patients)
