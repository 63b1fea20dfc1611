"""Share of right calls, which sensitivity and specificity take over different cases."""

import numpy as np
from numpy.typing import NDArray

from components.metrics.outputs import Estimate
from components.statistics.intervals import clopper_pearson, wilson
from components.statistics.paired import paired_difference

INTERVALS = {"clopper_pearson": clopper_pearson, "wilson": wilson}


def share_right(right: NDArray[np.bool_], *, alpha: float, method: str) -> Estimate:
    """The share of True with its interval; TooFewCases where there is no case."""
    n, count = right.size, int(np.count_nonzero(right))
    interval = INTERVALS[method](count, n, alpha=alpha)
    return Estimate(n, count / n, float(interval.lower), float(interval.upper), method)


def change_of_share(
    candidate: NDArray[np.bool_], baseline: NDArray[np.bool_], *, alpha: float
) -> Estimate:
    """The paired change of the share of True; TooFewCases where there is no case."""
    paired = paired_difference(candidate, baseline, alpha=alpha)
    return Estimate(paired.n, paired.estimate, paired.lower, paired.upper, "tango")
