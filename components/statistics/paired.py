"""Change of a proportion between two models that judged the same cases."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import TooFewCases
from components.statistics.intervals import normal_quantile


@dataclass(frozen=True)
class PairedDifference:
    """Candidate minus baseline, in [-1, 1], with its bounds and the counts it rests on.

    Attributes:
      gained: cases the baseline had wrong and the candidate has right.
      lost: cases the baseline had right and the candidate has wrong.
    """

    estimate: float
    lower: float
    upper: float
    gained: int
    lost: int
    n: int


def paired_difference(
    candidate: NDArray[np.bool_], baseline: NDArray[np.bool_], *, alpha: float = 0.025
) -> PairedDifference:
    """Interval for the change in a proportion measured twice on the same cases.

    Args:
      candidate, baseline: bool arrays (right or wrong), shape (n_cases,), same case order.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.

    Returns:
      PairedDifference: estimate, lower and upper, all in [-1, 1].

    Raises:
      TooFewCases: no case, so no interval exists.
      ValueError: the arrays differ in shape or are not boolean.

    Source: Tango (1998), Statistics in Medicine 17:891-908.
    """
    if candidate.shape != baseline.shape or candidate.ndim != 1:
        raise ValueError(f"paired: got shapes {candidate.shape} and {baseline.shape}, wanted one")
    if candidate.dtype != np.bool_ or baseline.dtype != np.bool_:
        raise ValueError(f"paired: got {candidate.dtype} and {baseline.dtype}, wanted bool arrays")
    gained = int(np.count_nonzero(candidate & ~baseline))
    lost = int(np.count_nonzero(baseline & ~candidate))
    return tango(gained, lost, candidate.size, alpha=alpha)


def tango(gained: int, lost: int, n: int, *, alpha: float = 0.025) -> PairedDifference:
    """Tango's score interval for (gained - lost) / n, from the counts.

    Both bounds are rounded outwards, and swapping the models mirrors them exactly.

    Raises:
      TooFewCases: n is 0, so no interval exists.
      ValueError: impossible counts, or alpha outside (0, 0.5).

    Source: Tango (1998), Statistics in Medicine 17:891-908.
    """
    z = normal_quantile(alpha)
    if n == 0:
        raise TooFewCases("paired difference: got n = 0, wanted at least one case")
    if gained < 0 or lost < 0 or gained + lost > n:
        raise ValueError(f"paired: got {gained} gained and {lost} lost of {n}, wanted counts in n")
    return PairedDifference(
        estimate=(gained - lost) / n,
        lower=_lower_bound(gained, lost, n, z),
        upper=-_lower_bound(lost, gained, n, z),
        gained=gained,
        lost=lost,
        n=n,
    )


def _lower_bound(gained: int, lost: int, n: int, z: float) -> float:
    """The largest difference below the estimate that the score test rejects, by bisection."""
    rejected, kept = -1.0, (gained - lost) / n
    while rejected < (middle := (rejected + kept) / 2) < kept:
        if _score(gained, lost, n, middle) > z:
            rejected = middle
        else:
            kept = middle
    return rejected


def _score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's statistic for the hypothesis that the true difference is `difference`."""
    if difference < 0:  # mirrored, so that nothing below cancels
        return -_score(lost, gained, n, -difference)
    # q: the constrained maximum-likelihood probability of a lost case (Tango's equation for q21),
    # the positive root of 2n q^2 + b q - product = 0.
    b = (2 * n - gained + lost) * difference - gained - lost
    product = lost * difference * (1 - difference)
    root = math.sqrt(b * b + 8 * n * product)
    q = 2 * product / (b + root) if b > 0 else (root - b) / (4 * n)
    variance = n * (2 * q + difference * (1 - difference))
    distance = gained - lost - n * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)
