"""How often a candidate as good as the baseline will pass each rule of a policy.

Part of the pre-flight: a check that can pass, but seldom does, blocks honest candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores, aligned
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Check, Policy
from components.gate.preflight import COUNTED, CheckOutlook, judged_of
from components.metrics import METRICS, Outputs
from components.records.errors import NothingEvaluated
from components.statistics.power import (
    power_floor,
    power_non_inferiority,
    sample_size_non_inferiority,
)

ENOUGH = 0.8


@dataclass(frozen=True)
class Chance:
    """Attributes:
    power: probability of PASS in [0, 1]; None where unknown.
    assuming: under what, or why it is unknown.
    needed: how many independent cases give a power of ENOUGH; None where there are as many, or
      where that is unknown.
    """

    power: float | None
    assuming: str
    needed: int | None = None


def chances(
    outlooks: Sequence[CheckOutlook],
    policy: Policy,
    case_set: CaseSet,
    *,
    golden: CaseScores | None = None,
    discordance: float | None = None,
) -> tuple[Chance, ...]:
    """One for each of `outlooks`, which are `preflight`'s of the same policy and case set.

    Args:
      golden: its estimates stand for the truth where a floor is concerned.
      discordance: share of the cases that two equally good models call differently, in (0, 1);
        None takes the policy's.

    Raises:
      IntegrityError: golden's scores are for other cases.
    """
    share = policy.expected_discordance if discordance is None else discordance
    truths = _truths(policy, case_set, golden) if golden else {}
    return tuple(_chance(outlook, share, truths) for outlook in outlooks)


def _chance(outlook: CheckOutlook, share: float, truths: dict[str, float]) -> Chance:
    if outlook.possible is False:
        return Chance(0.0, "it can never pass")
    if outlook.rule == "negative_flips":
        return _of_flips(outlook, share)
    if outlook.metric not in COUNTED:
        unknown = "" if outlook.metric is None else "unknown: it depends on the scores"
        return Chance(None, unknown)
    if outlook.rule == "floor":
        return _of_floor(outlook, truths)
    return _of_margin(outlook, share)


def _of_floor(outlook: CheckOutlook, truths: dict[str, float]) -> Chance:
    name = outlook.check.removesuffix(".floor")
    if name not in truths:
        return Chance(None, "unknown without golden: it depends on the true value")
    power = power_floor(
        int(outlook.worth),
        outlook.limit,
        true=truths[name],
        alpha=outlook.alpha or 0.0,
        method=outlook.method or "",
    )
    return Chance(power, f"a true value of {truths[name]:.3f}, golden's")


def _of_margin(outlook: CheckOutlook, share: float) -> Chance:
    if outlook.method != "tango":
        return Chance(None, f"unknown for the method {outlook.method}")
    alpha = outlook.alpha or 0.0
    # Rounded down, so that power is never overstated.
    power = power_non_inferiority(int(outlook.worth), outlook.limit, discordant=share, alpha=alpha)
    needed = None
    if power < ENOUGH:
        needed = sample_size_non_inferiority(
            outlook.limit, discordant=share, power=ENOUGH, alpha=alpha
        )
    return Chance(power, _equally_good(share), needed)


def _of_flips(outlook: CheckOutlook, share: float) -> Chance:
    from scipy.special import bdtr

    # Of two equally good models each has half of the differing cases to itself.
    power = float(bdtr(outlook.tolerates or 0, outlook.n, share / 2))
    return Chance(power, _equally_good(share))


def _equally_good(share: float) -> str:
    return f"equally good, {100 * share:g} % of calls differ"


def _truths(policy: Policy, case_set: CaseSet, golden: CaseScores) -> dict[str, float]:
    """Golden's estimate for each check of a counted metric, by the check's name."""
    cases = JudgedCases(case_set)
    scores = aligned(golden, case_set, who="golden scores")
    outputs = Outputs(cases.labels, scores, golden.operating_point)
    found: dict[str, float] = {}
    for check in policy.checks:
        if check.metric in COUNTED:
            found |= _truth(check, judged_of(check, policy, cases, outputs))
    return found


def _truth(check: Check, golden: Outputs) -> dict[str, float]:
    try:
        found = METRICS[check.metric].estimate(golden, alpha=check.alpha, method=check.method)
    except NothingEvaluated:
        return {}
    return {check.name: found.estimate}
