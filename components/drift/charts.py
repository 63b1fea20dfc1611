"""Sensitivity and specificity over time: a loss in one week shows here before it does overall.

The chart is a p-chart with exact probability limits. Weekly counts are too small for three sigma of
a normal approximation, and the target, what the model reached on its reference cases, is itself an
estimate; so a limit asks how rarely a period comes out this low where both share one true rate,
given what both hold together. The false-alarm probability of a point is then at most the stated
one, whatever the true rate. Only a loss signals: a rise is shown above its limit, and is no alarm.

Sources: Woodall (2006), Journal of Quality Technology 38:89-104, on charts in health care;
Quesenberry (1991), Journal of Quality Technology 23:239-246, on the hypergeometric form for a rate
that is estimated.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from components.drift.findings import NOT_ENOUGH, Chart, ChartPoint
from components.drift.permutation import fisher_lower
from components.drift.rates import (
    FEWEST_LABELLED,
    SENSITIVITY,
    SPECIFICITY,
    CallShare,
    right_share,
)
from components.drift.sample import Sample

IN_CONTROL, SIGNAL = "in control", "signal"

FEWEST_IN_PERIOD = 20  # labelled cases of the class; with fewer, only a collapse could show

# Labels come late, so a period may be complete weeks after it ended; but what signalled long ago
# was reported then, and must not alarm for ever.
JUDGED_PERIODS = 4

_CHARTED = (SENSITIVITY, SPECIFICITY)
_MONDAY = 4  # 5 January 1970, in days since the epoch


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
