"""How much a floor or a margin tolerates on given cases, by the gate's own functions.

They are applied to the best model there can be, one that is right of every case, and then to copies
of it that have more and more patients wrong.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from components.decision import Verdict
from components.gate.policy import Check
from components.gate.rules import floor_verdict, margin_verdict
from components.metrics import METRICS, Outputs
from components.records.errors import NothingEvaluated
from components.statistics.clustered import effective_size
from components.statistics.power import fewest_cases_for_floor, fewest_cases_for_margin

COUNTED = {"sensitivity": "positive", "specificity": "negative"}
Passes = Callable[[Outputs], bool]


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


def fewest_for_floor(check: Check, floor: float) -> int | None:
    """Fewest independent cases on which a model without a fault passes."""
    return fewest_cases_for_floor(floor, alpha=check.alpha, method=check.method)


def fewest_for_margin(check: Check, margin: float) -> int | None:
    """Fewest independent cases on which an unchanged model passes."""
    return fewest_cases_for_margin(margin, alpha=check.alpha, method=check.paired_method)
