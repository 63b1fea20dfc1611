"""What can a case set prove? Answered from counts alone, before any model is trained.

`most_*` and `fewest_*` say whether a check can pass at all, `power_*` how often it will.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.intervals import normal_quantile, proportion
from components.statistics.paired import difference_of

Counts = NDArray[np.int_]

# Probability left out of an exact sum; a power is never overstated by it.
NEGLIGIBLE = 1e-9
MOST_CASES = 10**8


def most_wrong(
    n: int, floor: float, *, alpha: float = 0.025, method: str = "clopper_pearson"
) -> int | None:
    """Most cases that may be wrong for the lower bound to lie at or above the floor.

    Returns:
      None where even a candidate that has none wrong cannot pass.

    Raises:
      TooFewCases: n is 0.
      ValueError: floor outside [0, 1], alpha outside (0, 0.5), or the method is unknown.
    """
    _check_share("floor", floor)

    def passes(wrong: int) -> bool:
        return float(proportion(n - wrong, n, alpha=alpha, method=method).lower) >= floor

    return _last(passes, n)


def fewest_cases_for_margin(
    margin: float, *, alpha: float = 0.025, method: str = "tango"
) -> int | None:
    """Fewest cases on which an unchanged model passes; None for a margin of 0, which none does."""
    _check_share("margin", margin)
    return _first(lambda n: difference_of(n, 0, 0, 0, alpha=alpha, method=method).lower > -margin)


def fewest_cases_for_floor(
    floor: float, *, alpha: float = 0.025, method: str = "clopper_pearson"
) -> int | None:
    """Fewest cases on which a model that has all right passes; None for a floor of 1."""
    _check_share("floor", floor)
    return _first(lambda n: float(proportion(n, n, alpha=alpha, method=method).lower) >= floor)


def power_floor(
    n: int, floor: float, *, true: float, alpha: float = 0.025, method: str = "clopper_pearson"
) -> float:
    """Exact probability of passing the floor on n cases where the true share is `true`."""
    from scipy.special import bdtr

    _check_share("true share", true)
    wrong = most_wrong(n, floor, alpha=alpha, method=method)
    return 0.0 if wrong is None else float(bdtr(wrong, n, 1 - true))


def power_non_inferiority(
    n: int, margin: float, *, discordant: float, difference: float = 0.0, alpha: float = 0.025
) -> float:
    """Exact probability that Tango's lower bound lies above -margin, in [0, 1].

    Args:
      n: cases.
      discordant: true share of cases on which the models differ, in [0, 1].
      difference: true change, candidate minus baseline, at most `discordant` in size.

    Raises:
      TooFewCases: n is 0.
      ValueError: a share is out of range.

    How: for each number of discordant cases that is at all likely, the fewest gained ones that
    pass, and their binomial probability.
    """
    from scipy.special import bdtr, bdtrc

    z = normal_quantile(alpha)
    _check_power(n, margin, discordant, difference)
    flips = _likely(n, discordant)
    gained = _fewest_gained(flips, n, margin, z)
    weight = bdtr(flips, n, discordant) - np.where(
        flips > 0, bdtr(np.maximum(flips - 1, 0), n, discordant), 0.0
    )
    share = (discordant + difference) / (2 * discordant) if discordant else 0.0
    # P(G >= g): certain for g = 0, and 0 for one more than all.
    tail = np.where(gained > 0, bdtrc(np.maximum(gained - 1, 0), flips, share), 1.0)
    return float(min(weight @ tail, 1.0))


def sample_size_non_inferiority(
    margin: float,
    *,
    discordant: float,
    difference: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.025,
) -> int:
    """Cases needed for `power_non_inferiority` to reach `power` and keep it.

    The exact power climbs like a saw, as a whole number of cases is lost. The answer is the n that
    reaches the target after the last tooth that falls short of it: n - 1 falls short, and of the
    sizes above n, over several teeth, none does. A few smaller sizes may reach it by luck.

    Raises:
      ValueError: a share or the power is out of range, the true difference is not above -margin,
        or no size up to 10**8 suffices.

    Checked against: Nam (1997), Biometrics 53:1422-1430, and Liu et al. (2002), Stat Med
    21:231-245, whose approximations it should meet within a few per cent.
    """
    _check_power(1, margin, discordant, difference)
    if not 0 < power < 1 or not difference > -margin:
        raise ValueError(
            f"sample size: got power {power} at a true difference of {difference}, wanted a power "
            f"in (0, 1) and a difference above -{margin}"
        )

    def reaches(n: int) -> bool:
        shares = {"discordant": discordant, "difference": difference}
        return power_non_inferiority(n, margin, **shares, alpha=alpha) >= power

    found = _first(reaches)
    if found is None:
        raise ValueError(f"sample size: no {MOST_CASES} cases reach a power of {power}")
    # A tooth is about 1 / margin cases long. Below a margin of .02 not every size is tried.
    teeth = int(4 / max(margin, 1e-3)) + 10
    ahead = range(1, teeth, 1 + teeth // 250)
    while short := [found + more for more in ahead if not reaches(found + more)]:
        found = short[-1] + 1
    return found


def _likely(n: int, share: float) -> Counts:
    """The counts out of n that hold all but a negligible part of the probability."""
    from scipy.special import bdtr

    spread = 7 * np.sqrt(n * share * (1 - share)) + 10
    first, last = int(max(n * share - spread, 0)), int(min(n * share + spread, n))
    counts = np.arange(first, last + 1)
    below = bdtr(counts, n, share)
    return counts[(below > NEGLIGIBLE / 2) & (np.r_[0.0, below[:-1]] < 1 - NEGLIGIBLE / 2)]


def _fewest_gained(flips: Counts, n: int, margin: float, z: float) -> Counts:
    """For each number of discordant cases the fewest gained that pass; one more where none do."""
    fails, enough = np.full(flips.size, -1), flips + 1
    while np.any(enough - fails > 1):
        middle = (fails + enough) // 2
        passed = tango_statistic(middle, flips - middle, n, margin) > z
        enough = np.where(passed, middle, enough)
        fails = np.where(passed, fails, middle)
    return enough


def tango_statistic(gained: Counts, lost: Counts, n: int, margin: float) -> NDArray[np.float64]:
    """Tango's score statistic at a true difference of -margin, for many tables at once.

    Above the normal deviate of alpha the lower bound of `tango` lies above -margin, so that no
    bound need be searched for.
    """
    b = (2 * n + gained - lost) * margin - gained - lost
    product = gained * margin * (1 - margin)
    with np.errstate(all="ignore"):  # a statistic that does not exist is NaN or 0: above nothing
        root = np.sqrt(b * b + 8 * n * product)
        q = np.where(b > 0, 2 * product / (b + root), (root - b) / (4 * n))
        variance = n * (2 * q + margin * (1 - margin))
        return np.where(variance > 0, (gained - lost + n * margin) / np.sqrt(variance), 0.0)


def _last(passes: Callable[[int], bool], n: int) -> int | None:
    """The largest count in 0..n that passes, where all smaller ones do; None if 0 does not."""
    if not passes(0):
        return None
    good, bad = 0, n + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if passes(middle) else (good, middle)
    return good


def _first(passes: Callable[[int], bool]) -> int | None:
    """The smallest count from 1 that passes, where all larger ones do; None if none does."""
    bad, good = 0, 1
    while not passes(good):
        if good > MOST_CASES:
            return None
        bad, good = good, 2 * good
    while good - bad > 1:
        middle = (good + bad) // 2
        bad, good = (bad, middle) if passes(middle) else (middle, good)
    return good


def _check_share(name: str, value: float) -> None:
    # Written so that NaN is refused too.
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: got {value}, wanted a share in [0, 1]")


def _check_power(n: int, margin: float, discordant: float, difference: float) -> None:
    _check_share("margin", margin)
    _check_share("discordant share", discordant)
    if n < 1:
        raise TooFewCases(f"power: got n = {n}, wanted at least one case")
    if not abs(difference) <= discordant:
        raise ValueError(
            f"difference: got {difference}, wanted at most the discordant share {discordant}"
        )
