"""Brier score: the mean squared distance between score and outcome, in [0, 1], lower is better.

Example: a score of 0.9 for a positive case adds 0.01 to the mean, one of 0.9 for a negative 0.81.
"""

from components.metrics.outputs import Estimate, Outputs
from components.metrics.probability import refuse_improbable
from components.statistics import calibration


def brier(model: Outputs, *, alpha: float, method: str = "normal") -> Estimate:
    """Judged on all cases; NothingEvaluated where a score is no probability."""
    refuse_improbable(model, "brier")
    found = calibration.brier(model.scores, model.labels, alpha=alpha, clusters=model.patients)
    return Estimate(found.n, found.estimate, found.lower, found.upper, method)


def brier_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "normal"
) -> Estimate:
    """Candidate minus baseline on the same cases: above 0 is worse."""
    refuse_improbable(candidate, "brier")
    refuse_improbable(baseline, "brier")
    found = calibration.brier_difference(
        candidate.scores,
        baseline.scores,
        candidate.labels,
        alpha=alpha,
        clusters=candidate.patients,
    )
    return Estimate(found.n, found.estimate, found.lower, found.upper, method)
