"""Share of right calls, which sensitivity and specificity take over different cases."""

import numpy as np
from numpy.typing import NDArray

from components.metrics.outputs import Estimate, Outputs
from components.records.errors import TooFewCases
from components.statistics.clustered import clustered_difference, clustered_proportion
from components.statistics.intervals import clopper_pearson, wilson
from components.statistics.paired import paired_difference

INTERVALS = {"clopper_pearson": clopper_pearson, "wilson": wilson}


def share_right(model: Outputs, of: NDArray[np.bool_], *, alpha: float, method: str) -> Estimate:
    """The share of right calls among the cases `of`; TooFewCases where there is none."""
    right = model.right[of]
    n, count = right.size, int(np.count_nonzero(right))
    if n == 0:
        raise TooFewCases("share of right calls: got no case, wanted at least one")
    if model.patients is not None:
        found = clustered_proportion(right, model.patients[of], alpha=alpha, method=method)
        return Estimate(n, count / n, found.lower, found.upper, method)
    interval = INTERVALS[method](count, n, alpha=alpha)
    return Estimate(n, count / n, float(interval.lower), float(interval.upper), method)


def change_of_share(
    candidate: Outputs, baseline: Outputs, of: NDArray[np.bool_], *, alpha: float, method: str
) -> Estimate:
    """The paired change of that share; TooFewCases where there is no case."""
    ours, theirs = candidate.right[of], baseline.right[of]
    if ours.size == 0:
        raise TooFewCases("change of right calls: got no case, wanted at least one")
    if candidate.patients is not None:
        patients = candidate.patients[of]
        change = clustered_difference(ours, theirs, patients, alpha=alpha, method=method)
        return Estimate(ours.size, change.estimate, change.lower, change.upper, method)
    paired = paired_difference(ours, theirs, alpha=alpha, method=method)
    return Estimate(ours.size, paired.estimate, paired.lower, paired.upper, method)
