"""Specificity: the share of negative cases that the model calls negative, in [0, 1], higher is
better.

Example: 80 of 100 negative cases below the operating point is 0.80.
"""

from components.metrics.outputs import Estimate, Outputs
from components.metrics.rightness import change_of_share, share_right


def specificity(model: Outputs, *, alpha: float, method: str = "clopper_pearson") -> Estimate:
    """Judged on the negatives of `model`; TooFewCases where there is none."""
    return share_right(model, ~model.labels, alpha=alpha, method=method)


def specificity_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "tango"
) -> Estimate:
    """Paired change on the negatives; TooFewCases where there is none."""
    return change_of_share(candidate, baseline, ~candidate.labels, alpha=alpha, method=method)
