"""AUC: how often a positive case scores above a negative one, ties half, in [0, 1], higher is
better.

It sees the scores only: a model can keep its AUC and lose its operating point.
"""

from components.metrics.outputs import Estimate, Outputs
from components.statistics import auc as delong


def auc(model: Outputs, *, alpha: float, method: str = "delong") -> Estimate:
    """Judged on all cases; TooFewCases below two of each class."""
    area = delong.auc(model.scores, model.labels, alpha=alpha, clusters=model.patients)
    return Estimate(model.labels.size, area.estimate, area.lower, area.upper, method)


def auc_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "delong"
) -> Estimate:
    """DeLong's interval for two AUCs on the same cases; TooFewCases below two of each class."""
    area = delong.auc_difference(
        candidate.scores,
        baseline.scores,
        candidate.labels,
        alpha=alpha,
        clusters=candidate.patients,
    )
    return Estimate(candidate.labels.size, area.estimate, area.lower, area.upper, method)
