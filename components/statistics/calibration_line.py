"""Cox's recalibration: are the scores too extreme, or too high throughout?

A file of its own, as it fits a model where calibration.py only takes means.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.calibration import Bools, Floats, check_scores
from components.statistics.intervals import normal_quantile

# A score of 0 or 1 claims certainty, whose logit is infinite: it is read as one in a million.
NEAREST = 1e-6


@dataclass(frozen=True)
class Coefficient:
    """Of a logistic model, with Wald's bounds; unbounded by nature."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class CalibrationLine:
    """How the log odds of being positive follow the logit of the score.

    Attributes:
      slope: 1 where calibrated, below 1 where the scores are too extreme.
      intercept: calibration in the large, with the slope fixed at 1: 0 where calibrated, below 0
        where the scores are too high.
    """

    slope: Coefficient
    intercept: Coefficient
    n: int


def calibration_line(scores: Floats, labels: Bools, *, alpha: float = 0.025) -> CalibrationLine:
    """Calibration slope and intercept by maximum likelihood.

    Args:
      scores: shape (n_cases,), in [0, 1]; clipped to [1e-6, 1 - 1e-6] before the logit.
      labels: bool, shape (n_cases,), True for positive.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.

    Raises:
      TooFewCases: the scores separate the classes, or a class has no case: no slope exists.
      ValueError: a score is outside [0, 1], or the shapes differ.

    Source: Cox (1958), Biometrika 45:562-565.
    """
    z = normal_quantile(alpha)
    check_scores(scores, labels)
    clipped = np.clip(scores, NEAREST, 1 - NEAREST)
    logits = np.log(clipped) - np.log1p(-clipped)
    positive, negative = logits[labels], logits[~labels]
    if not positive.size or not negative.size:
        raise TooFewCases(
            f"calibration: got {positive.size} positive and {negative.size} negative cases, "
            "wanted 1 of each"
        )
    if positive.min() >= negative.max() or negative.min() >= positive.max():
        raise TooFewCases(
            "calibration: the slope is undefined, as the scores separate the classes completely"
        )
    ones = np.ones((labels.size, 1))
    line, line_variance = _fit(np.column_stack([ones, logits]), labels, np.zeros(labels.size))
    large, large_variance = _fit(ones, labels, logits)
    slope = _wald(float(line[1]), float(line_variance[1]), z)
    return CalibrationLine(slope, _wald(float(large[0]), float(large_variance[0]), z), labels.size)


def _wald(estimate: float, variance: float, z: float) -> Coefficient:
    half = z * float(np.sqrt(variance))
    return Coefficient(estimate, estimate - half, estimate + half)


def _fit(design: NDArray, labels: Bools, offset: Floats) -> tuple[Floats, Floats]:
    """Coefficients and variances of a logistic model, by Newton's method with halved steps."""
    beta = np.zeros(design.shape[1])
    loss = _loss(offset, labels)
    for _ in range(100):
        linear = design @ beta + offset
        fitted = 0.5 * (1 + np.tanh(linear / 2))
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (labels - fitted))
        if np.abs(step).max() < 1e-9 * (1 + np.abs(beta).max()):
            return beta, np.diag(np.linalg.inv(information))
        while (tried := _loss(design @ (beta + step) + offset, labels)) > loss + 1e-9 * abs(loss):
            step = step / 2
        beta, loss = beta + step, tried
    raise TooFewCases("calibration: the fit of slope and intercept did not converge")


def _loss(linear: Floats, labels: Bools) -> float:
    """Negative log likelihood."""
    return float(np.logaddexp(0, np.where(labels, -linear, linear)).sum())
