"""Sensitivity: the share of positive cases that the model calls positive, in [0, 1], higher is
better.

Example: 90 of 100 positive cases at or above the operating point is 0.90.
"""

from components.metrics.outputs import Estimate, Outputs
from components.metrics.rightness import change_of_share, share_right


def sensitivity(model: Outputs, *, alpha: float, method: str = "clopper_pearson") -> Estimate:
    """Judged on the positives of `model`; TooFewCases where there is none."""
    return share_right(model, model.labels, alpha=alpha, method=method)


def sensitivity_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "tango"
) -> Estimate:
    """Paired change on the positives; TooFewCases where there is none."""
    return change_of_share(candidate, baseline, candidate.labels, alpha=alpha, method=method)
