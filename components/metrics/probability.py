"""What a calibration metric needs of a score: that it is a probability."""

from components.metrics.outputs import Outputs
from components.records.errors import NothingEvaluated


def refuse_improbable(model: Outputs, metric: str) -> None:
    """Raises NothingEvaluated where a score lies outside [0, 1]; NaN does."""
    inside = (model.scores >= 0) & (model.scores <= 1)
    if not inside.all():
        example = float(model.scores[~inside][0])
        raise NothingEvaluated(
            f"{metric}: got a score of {example:g}, wanted probabilities in [0, 1]; "
            "judge this model without calibration"
        )
