"""Did the positive rate change, and did sensitivity or specificity fall?

Exact tests for proportions, with intervals beside them. Sensitivity and specificity are taken over
every labelled case of the log and not over the window alone: labels arrive late, and a small
lasting loss only shows when cases add up. If those labelled are a choice (the doubtful ones, say),
the figures are of that choice. A sudden loss, in one week, shows in the control charts first.

A chart is a p-chart with exact probability limits. Weekly counts are too small for three sigma of
a normal approximation, and the target, what the model reached on its reference cases, is itself an
estimate; so a limit asks how rarely a period comes out this low where both share one true rate,
given what both hold together. The false-alarm probability of a point is then at most the stated
one, whatever the true rate. Only a loss signals: a rise is shown above its limit, and is no alarm.

Sources: Woodall (2006), Journal of Quality Technology 38:89-104, on charts in health care;
Quesenberry (1991), Journal of Quality Technology 23:239-246, on the hypergeometric form for a rate
that is estimated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from components.drift.divergence import Limit
from components.drift.findings import NOT_ENOUGH, Chart, ChartPoint, ObservedRate, Shift
from components.drift.permutation import fisher_lower, fisher_two_sided
from components.drift.sample import Sample
from components.drift.shifts import undecided
from components.statistics.intervals import clopper_pearson

POSITIVE_RATE, SENSITIVITY, SPECIFICITY = "positive_rate", "sensitivity", "specificity"

# Five more calls in a hundred cases are what a reading room notices as more work, and a seasonal
# swing of the disease is several times that.
POSITIVE_RATE_LIMIT = Limit("difference", 0.05)

# The loss that a policy here tolerates against the released model; in use no more is.
PERFORMANCE_LIMIT = Limit("difference", 0.05)

FEWEST_LABELLED = 30  # of a class, in either sample: with fewer, one case is over 3 %

_INTERVAL_ALPHA = 0.025  # of each side, so 95 %

IN_CONTROL, SIGNAL = "in control", "signal"

FEWEST_IN_PERIOD = 20  # labelled cases of the class; with fewer, only a collapse could show

# Labels come late, so a period may be complete weeks after it ended; but what signalled long ago
# was reported then, and must not alarm for ever.
JUDGED_PERIODS = 4

_CHARTED = (SENSITIVITY, SPECIFICITY)
_MONDAY = 4  # 5 January 1970, in days since the epoch


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
    bounds = float(interval.lower), float(interval.upper)
    return ObservedRate(name, share.right, share.cases, share.estimate, *bounds)


def shift_of_positive_rate(reference: Sample, current: Sample, fewest: int) -> Shift:
    """By how much the positive rate changed, either way; undecided as in shifts.py."""
    before, now = positive_share(reference), positive_share(current)
    cases = before.cases, now.cases
    if min(cases) < fewest:
        words = f"{cases[0]} reference and {cases[1]} served cases, wanted {fewest} of each"
        return undecided(POSITIVE_RATE, "rate", POSITIVE_RATE_LIMIT, cases, words)
    value = abs(now.right / now.cases - before.right / before.cases)
    p_value = fisher_two_sided(now.right, now.cases, before.right, before.cases)
    words = _change(before, now)
    return undecided(POSITIVE_RATE, "rate", POSITIVE_RATE_LIMIT, cases, words, value, p_value)


def shift_of_performance(name: str, reference: Sample, history: Sample) -> Shift:
    """How far sensitivity or specificity fell; below 0 where it rose, which is never moved.

    The test is one-sided, exact, and counts that the reference is a sample as well.
    """
    before, now = right_share(reference, name), right_share(history, name)
    cases = before.cases, now.cases
    if min(cases) < FEWEST_LABELLED:
        words = (
            f"{cases[0]} reference and {cases[1]} served cases are labelled "
            f"{'positive' if name == SENSITIVITY else 'negative'}, wanted {FEWEST_LABELLED} of each"
        )
        return undecided(name, "rate", PERFORMANCE_LIMIT, cases, words)
    value = before.right / before.cases - now.right / now.cases
    p_value = fisher_lower(now.right, now.cases, before.right, before.cases)
    words = f"{_change(before, now)}, over all labelled cases of the log"
    return undecided(name, "rate", PERFORMANCE_LIMIT, cases, words, value, p_value)


def _change(before: CallShare, now: CallShare) -> str:
    return f"{before.estimate:.1%} before, {now.estimate:.1%} now"


def point_alpha(alpha: float) -> float:
    """The false-alarm probability of one point, so that all judged ones together keep `alpha`."""
    return alpha / (len(_CHARTED) * JUDGED_PERIODS)


def control_charts(
    reference: Sample, history: Sample, *, alpha: float, period_days: int
) -> tuple[Chart, ...]:
    """A chart of each; false alarms on the newest judged periods of both have at most `alpha`.

    Args:
      history: the whole log; cases without a time or a label do not count.
      period_days: length of a period; weeks begin on Monday, in UTC.
    """
    return tuple(_chart(name, reference, history, alpha, period_days) for name in _CHARTED)


def judged(chart: Chart) -> tuple[ChartPoint, ...]:
    """The newest periods with enough cases, which alone can make a chart signal."""
    enough = [point for point in chart.points if point.state != NOT_ENOUGH]
    return tuple(enough[-JUDGED_PERIODS:])


def lowest_in_control(cases: int, target: CallShare, alpha: float) -> int:
    """Fewest right of `cases` that are no signal; 0 where not even none would be one.

    Args:
      target: what the model reached on its reference cases, at least one.
      alpha: the false-alarm probability, which the limit keeps at or below.
    """
    low, high = 0, cases  # all right is never a signal
    while low < high:
        middle = (low + high) // 2
        if fisher_lower(middle, cases, target.right, target.cases) <= alpha:
            low = middle + 1
        else:
            high = middle
    return low


def _chart(name: str, reference: Sample, history: Sample, alpha: float, period_days: int) -> Chart:
    target, each = right_share(reference, name), point_alpha(alpha)
    points = tuple(
        _point(start, right_share(period, name), target, each)
        for start, period in _periods(history, period_days)
    )
    source = (
        "p-chart with exact one-sided probability limits that allow for the target's sampling "
        "error (Woodall 2006, J Qual Technol 38:89-104; Quesenberry 1991, J Qual Technol "
        f"23:239-246); a point signals falsely with probability {each:.2g} at most"
    )
    chart = Chart(name, target.estimate, points, source, signal=False)
    return replace(chart, signal=any(point.state == SIGNAL for point in judged(chart)))


def _periods(history: Sample, period_days: int) -> Iterator[tuple[str, Sample]]:
    """Each period that holds a case with a time and a label, by its first day, ascending."""
    usable = history.where(~np.isnat(history.at) & (history.labels >= 0))
    days = usable.at.astype("datetime64[D]").astype(np.int64)
    numbers: npt.NDArray[np.int64] = (days - _MONDAY) // period_days
    for number in np.unique(numbers):
        start = np.datetime64(int(number) * period_days + _MONDAY, "D")
        yield str(start), usable.where(numbers == number)


def _point(start: str, share: CallShare, target: CallShare, alpha: float) -> ChartPoint:
    point = ChartPoint(start, share.right, share.cases, share.estimate, None, None, NOT_ENOUGH)
    if share.cases < FEWEST_IN_PERIOD or target.cases < FEWEST_LABELLED:
        return point
    lowest = lowest_in_control(share.cases, target, alpha)
    if not lowest:
        return point  # the target is so low that no count would signal
    # Too many right are too few wrong.
    wrong = CallShare(target.cases - target.right, target.cases)
    fewest_wrong = lowest_in_control(share.cases, wrong, alpha)
    return replace(
        point,
        lower=lowest / share.cases,
        upper=1 - fewest_wrong / share.cases,
        state=SIGNAL if share.right < lowest else IN_CONTROL,
    )
