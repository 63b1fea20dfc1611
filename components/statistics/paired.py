"""Change of a proportion between two models that judged the same cases."""

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.records.errors import TooFewCases, suggestion
from components.statistics.intervals import normal_quantile, wilson

PAIRED_METHODS = ("tango", "newcombe")
ROUNDING = 1 + 1e-12  # effective counts may overshoot n by so much

# Cases as counted, or effective ones where cases belong together (clustered.py).
Count = TypeVar("Count", int, float)


@dataclass(frozen=True)
class PairedDifference(Generic[Count]):
    """Candidate minus baseline, in [-1, 1], with its bounds and the counts it rests on.

    Attributes:
      gained: cases the baseline had wrong and the candidate has right.
      lost: cases the baseline had right and the candidate has wrong.
    """

    estimate: float
    lower: float
    upper: float
    gained: Count
    lost: Count
    n: Count


def paired_difference(
    candidate: NDArray[np.bool_],
    baseline: NDArray[np.bool_],
    *,
    alpha: float = 0.025,
    method: str = "tango",
) -> PairedDifference[int]:
    """Interval for the change in a proportion measured twice on the same cases.

    Args:
      candidate, baseline: bool arrays (right or wrong), shape (n_cases,), same case order.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.
      method: one of PAIRED_METHODS.

    Returns:
      PairedDifference: estimate, lower and upper, all in [-1, 1].

    Raises:
      TooFewCases: no case, so no interval exists.
      ValueError: the arrays differ in shape or are not boolean, or the method is unknown.

    Source: as `tango` or `newcombe`.
    """
    both, gained, lost, neither = paired_counts(candidate, baseline)
    return difference_of(both, gained, lost, neither, alpha=alpha, method=method)


def paired_counts(
    candidate: NDArray[np.bool_], baseline: NDArray[np.bool_]
) -> tuple[int, int, int, int]:
    """Cases that both have right, only the candidate (gained), only the baseline (lost), neither.

    Raises:
      ValueError: the arrays differ in shape or are not boolean.
    """
    if candidate.shape != baseline.shape or candidate.ndim != 1:
        raise ValueError(f"paired: got shapes {candidate.shape} and {baseline.shape}, wanted one")
    if candidate.dtype != np.bool_ or baseline.dtype != np.bool_:
        raise ValueError(f"paired: got {candidate.dtype} and {baseline.dtype}, wanted bool arrays")
    both = int(np.count_nonzero(candidate & baseline))
    gained = int(np.count_nonzero(candidate)) - both
    lost = int(np.count_nonzero(baseline)) - both
    return both, gained, lost, candidate.size - both - gained - lost


def difference_of(
    both: Count, gained: Count, lost: Count, neither: Count, *, alpha: float, method: str
) -> PairedDifference[Count]:
    """The interval that a policy names, from the counts; Raises as `tango`."""
    if method == "tango":
        return tango(gained, lost, _total(both, gained, lost, neither), alpha=alpha)
    if method == "newcombe":
        return newcombe(both, gained, lost, neither, alpha=alpha)
    raise ValueError(f"paired: unknown method '{method}'{suggestion(method, PAIRED_METHODS)}")


def tango(gained: Count, lost: Count, n: Count, *, alpha: float = 0.025) -> PairedDifference[Count]:
    """Tango's score interval for (gained - lost) / n, from the counts, whole or effective.

    Both bounds are rounded outwards, and swapping the models mirrors them exactly.

    Raises:
      TooFewCases: n is 0, so no interval exists.
      ValueError: impossible counts, or alpha outside (0, 0.5).

    Source: Tango (1998), Statistics in Medicine 17:891-908.
    """
    z = normal_quantile(alpha)
    _check(gained, lost, n)
    lower, upper = _lower_bound(gained, lost, n, z), -_lower_bound(lost, gained, n, z)
    return PairedDifference((gained - lost) / n, lower, upper, gained, lost, n)


def newcombe(
    both: Count, gained: Count, lost: Count, neither: Count, *, alpha: float = 0.025
) -> PairedDifference[Count]:
    """Newcombe's square-and-add interval for (gained - lost) / n, from the counts.

    It joins Wilson's intervals of the two proportions by their correlation phi, which is corrected
    for continuity where positive. Unlike Tango's it asks how many cases both models have right;
    swapping the models mirrors it exactly.

    Raises: as `tango`.

    Source: Newcombe (1998), Statistics in Medicine 17:2635-2650, method 10.
    """
    n = _total(both, gained, lost, neither)
    _check(gained, lost, n)
    if not (both >= 0 and neither >= 0):
        raise ValueError(f"paired: got {both} both right and {neither} both wrong, wanted >= 0")
    lower = _square_and_add(both, gained, lost, neither, alpha)
    upper = -_square_and_add(both, lost, gained, neither, alpha)
    return PairedDifference((gained - lost) / n, lower, upper, gained, lost, n)


def _total(both: Count, gained: Count, lost: Count, neither: Count) -> Count:
    """In this order, so that swapping the models gives the same sum of effective counts."""
    return (both + neither) + (gained + lost)


def _check(gained: float, lost: float, n: float) -> None:
    if n == 0:
        raise TooFewCases("paired difference: got n = 0, wanted at least one case")
    # Written so that NaN is refused too.
    if not (gained >= 0 and lost >= 0 and gained + lost <= n * ROUNDING):
        raise ValueError(f"paired: got {gained} gained and {lost} lost of {n}, wanted counts in n")


def _square_and_add(both: float, gained: float, lost: float, neither: float, alpha: float) -> float:
    """Newcombe's lower bound."""
    n = _total(both, gained, lost, neither)
    # At most 1, as `_total` rounds upwards of both; times n again, so that it cannot exceed n.
    ours, theirs = (both + gained) / n, (both + lost) / n
    below = ours - float(wilson(ours * n, n, alpha=alpha).lower)
    above = float(wilson(theirs * n, n, alpha=alpha).upper) - theirs
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    agreement = both * neither - gained * lost
    if agreement > 0:
        agreement = max(agreement - n / 2, 0.0)
    phi = agreement / math.sqrt(margins) if margins > 0 else 0.0
    squared = below * below - 2 * phi * below * above + above * above
    return max(-1.0, (gained - lost) / n - math.sqrt(max(squared, 0.0)))


def _lower_bound(gained: float, lost: float, n: float, z: float) -> float:
    """The largest difference below the estimate that the score test rejects, by bisection."""
    rejected, kept = -1.0, (gained - lost) / n
    while rejected < (middle := (rejected + kept) / 2) < kept:
        if _score(gained, lost, n, middle) > z:
            rejected = middle
        else:
            kept = middle
    return rejected


def _score(gained: float, lost: float, n: float, difference: float) -> float:
    """Tango's statistic for the hypothesis that the true difference is `difference`."""
    if difference < 0:  # mirrored, so that nothing below cancels
        return -_score(lost, gained, n, -difference)
    # q: the constrained maximum-likelihood probability of a lost case (Tango's equation for q21),
    # the positive root of 2n q^2 + b q - product = 0.
    b = (2 * n - gained + lost) * difference - gained - lost
    product = lost * difference * (1 - difference)
    root = math.sqrt(b * b + 8 * n * product)
    q = 2 * product / (b + root) if b > 0 else (root - b) / (4 * n)
    # Above 0: the difference lies inside (-1, 1), and is 0 only where cases are discordant.
    variance = n * (2 * q + difference * (1 - difference))
    return (gained - lost - n * difference) / math.sqrt(variance)
