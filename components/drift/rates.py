"""Did the positive rate change, and did sensitivity or specificity fall?

Exact tests for proportions, with intervals beside them. Sensitivity and specificity are taken over
every labelled case of the log and not over the window alone: labels arrive late, and a small
lasting loss only shows when cases add up. A sudden loss shows in the control charts. If those
labelled are a choice (the doubtful ones, say), the figures are of that choice.
"""

from dataclasses import dataclass

import numpy as np

from components.drift.findings import NOT_ENOUGH, STEADY, ObservedRate, Shift
from components.drift.permutation import fisher_lower, fisher_two_sided
from components.drift.sample import Sample
from components.statistics.intervals import clopper_pearson

POSITIVE_RATE, SENSITIVITY, SPECIFICITY = "positive_rate", "sensitivity", "specificity"

# Five more calls in a hundred cases are what a reading room notices as more work, and a seasonal
# swing of the disease is several times that.
POSITIVE_RATE_LIMIT = 0.05

# The loss that a policy here tolerates against the released model; in use no more is.
PERFORMANCE_LIMIT = 0.05

FEWEST_LABELLED = 30  # of a class, in either sample: with fewer, one case is over 3 %

_INTERVAL_ALPHA = 0.025  # of each side, so 95 %


@dataclass(frozen=True)
class CallShare:
    """`right` of `cases`: positive calls of all, or right calls of a class."""

    right: int
    cases: int

    @property
    def estimate(self) -> float | None:
        return self.right / self.cases if self.cases else None


def positive_share(sample: Sample) -> CallShare:
    return CallShare(int(sample.positive.sum()), len(sample))


def right_share(sample: Sample, name: str) -> CallShare:
    """Of the cases labelled positive (sensitivity) or negative (specificity), those called so."""
    positive = name == SENSITIVITY
    calls = sample.positive[sample.labels == int(positive)]
    return CallShare(int(np.sum(calls == positive)), calls.size)


def rate(name: str, share: CallShare) -> ObservedRate:
    """The proportion with its 95 % Clopper-Pearson interval."""
    if not share.cases:
        return ObservedRate(name, 0, 0, None, None, None)
    interval = clopper_pearson(share.right, share.cases, alpha=_INTERVAL_ALPHA)
    return ObservedRate(
        name,
        share.right,
        share.cases,
        share.estimate,
        float(interval.lower),
        float(interval.upper),
    )


def shift_of_positive_rate(reference: Sample, current: Sample, fewest: int) -> Shift:
    """By how much the positive rate changed, either way; undecided as in shifts.py."""
    before, now = positive_share(reference), positive_share(current)
    if min(before.cases, now.cases) < fewest:
        words = f"{before.cases} reference and {now.cases} served cases, wanted {fewest} of each"
        return _shift(POSITIVE_RATE, POSITIVE_RATE_LIMIT, None, None, before, now, words)
    value = abs(_share(now) - _share(before))
    p_value = fisher_two_sided(now.right, now.cases, before.right, before.cases)
    words = _change(before, now)
    return _shift(POSITIVE_RATE, POSITIVE_RATE_LIMIT, value, p_value, before, now, words)


def shift_of_performance(name: str, reference: Sample, history: Sample) -> Shift:
    """How far sensitivity or specificity fell; below 0 where it rose, which is never moved.

    The test is one-sided, exact, and counts that the reference is a sample as well.
    """
    before, now = right_share(reference, name), right_share(history, name)
    if min(before.cases, now.cases) < FEWEST_LABELLED:
        kind = "positive" if name == SENSITIVITY else "negative"
        words = (
            f"{before.cases} reference and {now.cases} served cases are labelled {kind}, "
            f"wanted {FEWEST_LABELLED} of each"
        )
        return _shift(name, PERFORMANCE_LIMIT, None, None, before, now, words)
    value = _share(before) - _share(now)
    p_value = fisher_lower(now.right, now.cases, before.right, before.cases)
    words = f"{_change(before, now)}, over all labelled cases of the log"
    return _shift(name, PERFORMANCE_LIMIT, value, p_value, before, now, words)


def _share(share: CallShare) -> float:
    return share.right / share.cases


def _change(before: CallShare, now: CallShare) -> str:
    return f"{_share(before):.1%} before, {_share(now):.1%} now"


def _shift(
    name: str,
    limit: float,
    value: float | None,
    p_value: float | None,
    before: CallShare,
    now: CallShare,
    words: str,
) -> Shift:
    return Shift(
        name=name,
        kind="rate",
        measure="difference",
        value=value,
        limit=limit,
        p_value=p_value,
        state=NOT_ENOUGH if value is None else STEADY,
        reference_cases=before.cases,
        current_cases=now.cases,
        words=words,
    )
