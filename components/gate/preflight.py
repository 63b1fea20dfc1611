"""What a policy can prove on a case set, said before anything is trained.

Whether a check can pass at all is answered by the gate's own functions, on the best model there
can be: one that is right of every case against a floor, an unchanged one against a margin. A check
that not even that model passes would block every honest candidate for ever.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.baselines.case_set import CaseSet
from components.decision import Verdict
from components.errors import NothingEvaluated, PolicyError
from components.gate.judged_cases import JudgedCases
from components.gate.policy import BASELINES, Check, Policy
from components.gate.rules import floor_verdict, judged_part, margin_verdict
from components.metrics import METRICS, Outputs
from components.statistics import power

COUNTED = {"sensitivity": "positive", "specificity": "negative"}


@dataclass(frozen=True)
class CheckOutlook:
    """What counts alone say of one rule.

    Attributes:
      check: as a decision names it, such as `sensitivity[overall].floor`.
      rule: floor, ceiling, non_inferiority, negative_flips or sentinel.
      n: what it is judged on; `kind`: of what, such as `positive cases` or, where images of one
        patient count together, `positive patients`.
      limit: a floor, a ceiling, a number of sentinels, or a margin without its sign.
      method: the interval that decides.
      possible: whether the best model passes; None where that depends on its scores.
      tolerates: most that may be wrong (floor), or lost while none is gained; None where unknown
        or where it can never pass.
      fewest: fewest on which the best model passes; None where unknown.
    """

    check: str
    rule: str
    metric: str | None
    slice: str | None
    against: str
    role: str
    n: int
    kind: str
    limit: float
    alpha: float | None
    method: str | None
    possible: bool | None
    tolerates: int | None = None
    fewest: int | None = None

    @property
    def hopeless(self) -> bool:
        """Whether it blocks every candidate."""
        return self.possible is False and self.role == "gate"


def preflight(policy: Policy, case_set: CaseSet) -> tuple[CheckOutlook, ...]:
    """Every rule that counts can say something about, in the policy's order.

    Where images of one patient count together, n is the number of patients: as if the images of
    one were always right or wrong together, which is the least that they can prove.
    """
    cases = JudgedCases(case_set)
    found = [outlook for check in policy.checks for outlook in _of_check(check, policy, cases)]
    if policy.negative_flips:
        found += _of_flips(policy.negative_flips.ceiling, len(cases.ids))
    if policy.sentinels:
        found.append(_of_sentinels(policy.sentinels.at_least, int(cases.sentinels.sum())))
    return tuple(found)


def refuse_hopeless(policy: Policy, case_set: CaseSet) -> None:
    """Raises PolicyError where a gating check can never pass: names it, its n, what it needs."""
    hopeless = [outlook for outlook in preflight(policy, case_set) if outlook.hopeless]
    if hopeless:
        more = f"; nor can {len(hopeless) - 1} more" if len(hopeless) > 1 else ""
        raise PolicyError(
            f"policy {policy.name}: {hopeless[0].check} can never pass on {case_set.name} version "
            f"{case_set.version}: {_why(hopeless[0])}{more}"
        )


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
    if outlook.metric not in COUNTED:
        return f"{has} do not hold 2 of each class; correct the slice or add cases"
    margin = outlook.rule == "non_inferiority"
    # Of patients with very different numbers of images even enough may not do.
    wanted = ""
    if outlook.fewest is not None and outlook.fewest > outlook.n:
        wanted = f"wanted {outlook.fewest}: "
    return (
        f"{has} cannot prove a {'margin' if margin else 'floor'} of {outlook.limit:g} even of "
        f"{'an unchanged model' if margin else 'a model that is always right'}; {wanted}add cases "
        f"or set a {'wider margin' if margin else 'lower floor'}"
    )


def _of_check(check: Check, policy: Policy, cases: JudgedCases) -> Iterator[CheckOutlook]:
    """An outlook for the limit, and one for the margin against each baseline."""
    best = judged_of(check, policy, cases)
    n, kind = _units(check, policy, best)
    common: dict[str, Any] = {
        "metric": check.metric,
        "slice": check.slice_name,
        "role": check.role,
        "n": n,
        "kind": kind,
        "alpha": check.alpha,
    }
    if check.limit is not None:
        yield CheckOutlook(
            check=f"{check.name}.{check.limit_rule}",
            rule=check.limit_rule,
            against="none",
            limit=check.limit,
            method=check.method,
            **common,
            **_of_limit(check, check.limit, best, n),
        )
    for name, margin in check.margins.items():
        yield CheckOutlook(
            check=f"{check.name}.non_inferiority.{name}",
            rule="non_inferiority",
            against=name,
            limit=margin,
            method=check.paired_method,
            **common,
            **_of_margin(check, margin, best, n),
        )


def _units(check: Check, policy: Policy, best: Outputs) -> tuple[int, str]:
    """What a check is judged on, and how many of them."""
    judged = {"sensitivity": best.labels, "specificity": ~best.labels}.get(
        check.metric, np.ones(best.labels.size, np.bool_)
    )
    n, unit = int(np.count_nonzero(judged)), "cases"
    if policy.patients == "aggregated":
        unit = "patients"
    elif best.patients is not None and (patients := np.unique(best.patients[judged]).size) < n:
        n, unit = patients, "patients"
    return n, f"{COUNTED[check.metric]} {unit}" if check.metric in COUNTED else unit


def _of_limit(check: Check, limit: float, best: Outputs, n: int) -> dict[str, Any]:
    try:
        found = METRICS[check.metric].estimate(best, alpha=check.alpha, method=check.method)
    except NothingEvaluated:
        return {"possible": False, "fewest": _fewest_for_floor(check, limit)}
    if check.metric not in COUNTED:
        return {"possible": None}
    settings: dict[str, Any] = {"alpha": check.alpha, "method": check.method}
    possible = floor_verdict(found.lower, found.upper, limit) is Verdict.PASS
    return {
        "possible": possible,
        "tolerates": power.most_wrong(n, limit, **settings) if possible else None,
        "fewest": _fewest_for_floor(check, limit),
    }


def _of_margin(check: Check, margin: float, best: Outputs, n: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"alpha": check.alpha, "method": check.paired_method}
    counted = check.metric in COUNTED
    fewest = power.fewest_cases_for_margin(margin, **settings) if counted else None
    try:
        found = METRICS[check.metric].change(best, best, **settings)
    except NothingEvaluated:
        return {"possible": False, "fewest": fewest}
    if not counted:
        return {"possible": None}
    possible = margin_verdict(found.lower, found.upper, margin) is Verdict.PASS
    tolerates = power.most_lost(n, margin, **settings) if possible else None
    return {"possible": possible, "tolerates": tolerates, "fewest": fewest}


def _fewest_for_floor(check: Check, floor: float) -> int | None:
    if check.metric not in COUNTED:
        return None
    return power.fewest_cases_for_floor(floor, alpha=check.alpha, method=check.method)


def _of_flips(ceiling: float, n: int) -> list[CheckOutlook]:
    # The largest count whose share, divided as the rule divides, is within the ceiling.
    most = math.ceil(ceiling * n) + 1
    while n and most / n > ceiling:
        most -= 1
    return [
        CheckOutlook(
            check=f"negative_flips.{name}",
            rule="negative_flips",
            metric=None,
            slice=None,
            against=name,
            role="gate",
            n=n,
            kind="cases",
            limit=ceiling,
            alpha=None,
            method=None,
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
        metric=None,
        slice=None,
        against="none",
        role="gate",
        n=marked,
        kind="never-miss cases",
        limit=float(wanted),
        alpha=None,
        method=None,
        possible=marked >= wanted,
        fewest=wanted,
    )
