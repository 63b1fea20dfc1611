"""The placeholder that judges new data until a person writes a policy, fitted to the cases.

A margin that the counts can never prove would end the first run before there is anything to look
at. So what is impossible is widened as little as will do, and the file says so: it is a number that
nobody agreed to.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from components.baselines.case_set import CaseSet
from components.gate.judged_cases import JudgedCases
from components.gate.policy import load_policy
from components.gate.preflight import (
    CheckOutlook,
    agreement_outlook,
    hopeless_checks,
    provable_limit,
)
from components.statistics.intervals import clopper_pearson

_HEAD = "# FITTED by casegate to the case set, and agreed by nobody; write your own numbers:\n"


def fit_policy(
    path: Path, case_set: CaseSet, exports: Sequence[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """The text of a policy with each impossible limit moved to the nearest that can be proven.

    A limit stays where no other would do.

    Args:
      exports: kinds of the artefacts that will be judged, of which the policy says nothing.

    Returns:
      The text, and a sentence for each limit that moved.
    """
    text, policy = path.read_text("utf-8"), load_policy(path)
    cases = JudgedCases(case_set)
    moved: dict[tuple[str | None, str], str] = {}
    for outlook in hopeless_checks(policy, cases):
        check = next(check for check in policy.checks if outlook.check.startswith(check.name))
        limit = provable_limit(policy, cases, check, outlook)
        key = "margin" if outlook.rule == "non_inferiority" else outlook.rule
        if limit is None or (check.metric, key) in moved:
            continue
        place = rf"(metric: {check.metric}\n(?:.*\n)*?\s+{key}: ){outlook.limit:.2f}\b"
        text = re.sub(place, rf"\g<1>{limit:.2f}", text, count=1)
        moved[check.metric, key] = _sentence(outlook, key, limit)
    n, fitted = len(cases.ids), []
    for outlook in (agreement_outlook(policy, kind, n) for kind in exports):
        if not outlook.possible:
            kind, limit = outlook.slice, _provable_share(n, policy.alpha)
            fitted.append(f"  {kind}: {{agreement: {limit:.2f}, rationale: a placeholder}}\n")
            moved[kind, "agreement"] = (
                f"agreement of {kind} {limit:.2f} instead of {outlook.limit:.2f}: {n} cases prove "
                "no higher one"
            )
    if fitted:
        text += "exports:\n" + "".join(fitted)
    if moved:
        text = _HEAD + "".join(f"#   {sentence}\n" for sentence in moved.values()) + text
    return text, tuple(moved.values())


def _sentence(outlook: CheckOutlook, key: str, limit: float) -> str:
    worth = ""
    if outlook.worth < outlook.n:
        worth = f", worth {outlook.worth:.0f} independent ones"
    return (
        f"{key} of {outlook.metric} {limit:.2f} instead of {outlook.limit:.2f}: {outlook.n} "
        f"{outlook.kind}{worth}, prove no {'smaller' if key == 'margin' else 'higher'} one"
    )


def _provable_share(n: int, alpha: float) -> float:
    """The highest floor, in whole hundredths, that `n` cases prove of which none differs."""
    return math.floor(float(clopper_pearson(n, n, alpha=alpha).lower) * 100) / 100
