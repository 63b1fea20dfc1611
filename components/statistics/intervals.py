"""Intervals for one proportion: how far the truth may lie from what a few cases showed.

`alpha` is the error rate of one side, here and in every other file of this folder. So each bound
alone is a one-sided bound at `alpha`, and both together are the two-sided interval of level
1 - 2 * alpha. Counts need not be whole: cases that belong together count for fewer (clustered.py).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.records.errors import TooFewCases, suggestion


@dataclass(frozen=True)
class Interval:
    """Two bounds in [0, 1]: floats for scalar counts, arrays of the counts' shape otherwise."""

    lower: float | NDArray[np.float64]
    upper: float | NDArray[np.float64]


def normal_quantile(alpha: float) -> float:
    """The standard normal deviate that is exceeded with probability `alpha`, 0 < alpha < 0.5.

    Raises:
      ValueError: alpha out of range.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha: got {alpha}, wanted a one-sided error rate between 0 and 0.5")
    return -NormalDist().inv_cdf(alpha)


def clopper_pearson(successes: ArrayLike, n: ArrayLike, *, alpha: float = 0.025) -> Interval:
    """Exact interval for a proportion; never errs more often than `alpha` on either side.

    Args:
      successes, n: counts, whole or effective, 0 <= successes <= n; scalars or arrays that
        broadcast.
      alpha: one-sided error rate; the two-sided interval has level 1 - 2 * alpha.

    Returns:
      Interval: exactly 0 below for no success, exactly 1 above for no failure.

    Raises:
      TooFewCases: an n is 0, so no interval exists.
      ValueError: impossible counts, or alpha outside (0, 0.5).

    Source: Clopper and Pearson (1934), Biometrika 26:404-413, by beta quantiles; for effective
    counts Korn and Graubard (1998), Survey Methodology 24:193-201.
    """
    # SciPy costs as much to import as the rest of the gate; whoever only reads never pays for it.
    from scipy.special import betaincinv

    normal_quantile(alpha)  # checks alpha
    x, total = _counts(successes, n)
    wrong = total - x
    # A quantile of a beta distribution with parameter 0 does not exist: it is NaN, and not used.
    lower = np.where(x == 0, 0.0, betaincinv(x, wrong + 1, alpha))
    upper = np.where(wrong == 0, 1.0, betaincinv(x + 1, wrong, 1 - alpha))
    return Interval(lower[()], upper[()])


def wilson(successes: ArrayLike, n: ArrayLike, *, alpha: float = 0.025) -> Interval:
    """Score interval for a proportion: shorter than Clopper-Pearson, right on average only.

    Args, Returns, Raises: as `clopper_pearson`.

    Source: Wilson (1927), JASA 22:209-212; method 3 of Newcombe (1998), Stat Med 17:857-872.
    """
    z = normal_quantile(alpha)
    x, total = _counts(successes, n)
    centre = x + z * z / 2
    half = z * np.sqrt(x * (total - x) / total + z * z / 4)
    lower = np.where(x == 0, 0.0, (centre - half) / (total + z * z))
    upper = np.where(x == total, 1.0, (centre + half) / (total + z * z))
    return Interval(lower[()], upper[()])


PROPORTION_METHODS = {"clopper_pearson": clopper_pearson, "wilson": wilson}


def proportion(
    successes: ArrayLike, n: ArrayLike, *, alpha: float = 0.025, method: str = "clopper_pearson"
) -> Interval:
    """The interval that a policy names; Args, Returns, Raises as `clopper_pearson`."""
    if method not in PROPORTION_METHODS:
        raise ValueError(
            f"proportion: unknown method '{method}'{suggestion(method, PROPORTION_METHODS)}"
        )
    return PROPORTION_METHODS[method](successes, n, alpha=alpha)


def _counts(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, total = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(n, np.float64))
    if np.any(total == 0):
        raise TooFewCases("proportion: got n = 0, wanted at least one case")
    # Written so that NaN is refused too.
    if not np.all((x >= 0) & (x <= total)):
        raise ValueError("proportion: wanted 0 <= successes <= n in every count")
    return x, total
