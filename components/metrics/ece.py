"""Expected calibration error: how far scores lie from observed shares, in [0, 1], lower is better.

Example: scores around 0.8 of which 70 % are positive are off by 0.1.
"""

from components.metrics.outputs import Estimate, Outputs
from components.metrics.probability import refuse_improbable
from components.statistics import calibration


def ece(model: Outputs, *, alpha: float, method: str = "normal") -> Estimate:
    """Judged on all cases; NothingEvaluated where a score is no probability."""
    refuse_improbable(model, "ece")
    found = calibration.expected_calibration_error(
        model.scores, model.labels, alpha=alpha, clusters=model.patients
    )
    return Estimate(found.n, found.estimate, found.lower, found.upper, method)


def ece_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "normal"
) -> Estimate:
    """Candidate minus baseline on the same cases: above 0 is worse."""
    refuse_improbable(candidate, "ece")
    refuse_improbable(baseline, "ece")
    found = calibration.expected_calibration_error_difference(
        candidate.scores,
        baseline.scores,
        candidate.labels,
        alpha=alpha,
        clusters=candidate.patients,
    )
    return Estimate(found.n, found.estimate, found.lower, found.upper, method)
