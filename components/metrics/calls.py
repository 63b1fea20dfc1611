"""Sensitivity and specificity: the share of a class that the model calls rightly, in [0, 1], higher
is better.

Example: 90 of 100 positive cases at or above the operating point is a sensitivity of 0.90, 80 of
100 negative cases below it a specificity of 0.80.
"""

import numpy as np
from numpy.typing import NDArray

from components.metrics.outputs import Estimate, Outputs
from components.records.errors import TooFewCases
from components.statistics.clustered import clustered_difference, clustered_proportion
from components.statistics.intervals import proportion
from components.statistics.paired import paired_difference


def sensitivity(model: Outputs, *, alpha: float, method: str = "clopper_pearson") -> Estimate:
    """Judged on the positives of `model`; TooFewCases where there is none."""
    return _share_right(model, model.labels, alpha=alpha, method=method)


def sensitivity_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "tango"
) -> Estimate:
    """Paired change on the positives; TooFewCases where there is none."""
    return _change_of_share(candidate, baseline, candidate.labels, alpha=alpha, method=method)


def specificity(model: Outputs, *, alpha: float, method: str = "clopper_pearson") -> Estimate:
    """Judged on the negatives of `model`; TooFewCases where there is none."""
    return _share_right(model, ~model.labels, alpha=alpha, method=method)


def specificity_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "tango"
) -> Estimate:
    """Paired change on the negatives; TooFewCases where there is none."""
    return _change_of_share(candidate, baseline, ~candidate.labels, alpha=alpha, method=method)


def _share_right(model: Outputs, of: NDArray[np.bool_], *, alpha: float, method: str) -> Estimate:
    right = model.right[of]
    n, count = right.size, int(np.count_nonzero(right))
    if n == 0:
        raise TooFewCases("share of right calls: got no case, wanted at least one")
    if model.patients is not None:
        found = clustered_proportion(right, model.patients[of], alpha=alpha, method=method)
        return Estimate(n, count / n, found.lower, found.upper, method)
    interval = proportion(count, n, alpha=alpha, method=method)
    return Estimate(n, count / n, float(interval.lower), float(interval.upper), method)


def _change_of_share(
    candidate: Outputs, baseline: Outputs, of: NDArray[np.bool_], *, alpha: float, method: str
) -> Estimate:
    ours, theirs = candidate.right[of], baseline.right[of]
    if ours.size == 0:
        raise TooFewCases("change of right calls: got no case, wanted at least one")
    if candidate.patients is not None:
        patients = candidate.patients[of]
        change = clustered_difference(ours, theirs, patients, alpha=alpha, method=method)
        return Estimate(ours.size, change.estimate, change.lower, change.upper, method)
    paired = paired_difference(ours, theirs, alpha=alpha, method=method)
    return Estimate(ours.size, paired.estimate, paired.lower, paired.upper, method)
