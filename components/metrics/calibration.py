"""How far scores lie from outcomes, as a mean in [0, 1], lower is better.

Brier score: the mean squared distance of score and outcome. A score of 0.9 for a positive case adds
0.01, one of 0.9 for a negative 0.81. Expected calibration error: the mean distance of scores and
observed shares. Scores around 0.8 of which 70 % are positive are off by 0.1.
"""

from collections.abc import Callable

from components.metrics.outputs import Estimate, Outputs
from components.records.errors import NothingEvaluated
from components.statistics import calibration
from components.statistics.calibration import MeanEstimate


def brier(model: Outputs, *, alpha: float, method: str = "normal") -> Estimate:
    """Judged on all cases; NothingEvaluated where a score is no probability."""
    return _mean("brier", calibration.brier, model, alpha=alpha, method=method)


def brier_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "normal"
) -> Estimate:
    """Candidate minus baseline on the same cases: above 0 is worse."""
    found = calibration.brier_difference
    return _mean("brier", found, candidate, baseline, alpha=alpha, method=method)


def ece(model: Outputs, *, alpha: float, method: str = "normal") -> Estimate:
    """Judged on all cases; NothingEvaluated where a score is no probability."""
    found = calibration.expected_calibration_error
    return _mean("ece", found, model, alpha=alpha, method=method)


def ece_change(
    candidate: Outputs, baseline: Outputs, *, alpha: float, method: str = "normal"
) -> Estimate:
    """Candidate minus baseline on the same cases: above 0 is worse."""
    found = calibration.expected_calibration_error_difference
    return _mean("ece", found, candidate, baseline, alpha=alpha, method=method)


def _mean(
    name: str, of: Callable[..., MeanEstimate], *models: Outputs, alpha: float, method: str
) -> Estimate:
    """`of` the models' scores, in their order, and the labels that they share."""
    for model in models:
        refuse_improbable(model, name)
    first = models[0]
    scores = (model.scores for model in models)
    found = of(*scores, first.labels, alpha=alpha, clusters=first.patients)
    return Estimate(found.n, found.estimate, found.lower, found.upper, method)


def refuse_improbable(model: Outputs, metric: str) -> None:
    """Raises NothingEvaluated where a score lies outside [0, 1]; NaN does."""
    inside = (model.scores >= 0) & (model.scores <= 1)
    if not inside.all():
        example = float(model.scores[~inside][0])
        raise NothingEvaluated(
            f"{metric}: got a score of {example:g}, wanted probabilities in [0, 1]; "
            "judge this model without calibration"
        )
