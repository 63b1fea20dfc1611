"""How often the non-inferiority rule says PASS, FAIL or INCONCLUSIVE, where the truth is known.

One case of n is `hard` with probability 2 x discordance: there each model is right by the toss of
a coin of its own, so any two equally good models disagree on the share `discordance` of the cases.
A true loss adds cases that champion and golden have right and the candidate has wrong; a true gain
the reverse.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.statistics.intervals import normal_quantile

Counts = NDArray[np.int64]
VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE")


@dataclass(frozen=True)
class Shares:
    """Shares of the replications, which add up to 1."""

    passed: float
    failed: float
    inconclusive: float


@dataclass(frozen=True)
class Losses:
    """Shares of the chains stopped at or before each release, by what the gate compared with."""

    step: float
    n: int
    champion_only: tuple[float, ...]
    with_golden: tuple[float, ...]


def score(gained: NDArray, lost: NDArray, n: int, margin: float) -> NDArray[np.float64]:
    """Tango's statistic for a true loss of exactly `margin`, for whole arrays of counts.

    The rule of components/gate: above z is PASS, below -z is FAIL.
    """
    c, b = gained.astype(np.float64), lost.astype(np.float64)
    linear = (2 * n - b + c) * margin - b - c  # with the models swapped, so that margin > 0
    product = c * margin * (1 - margin)
    root = np.sqrt(linear * linear + 8 * n * product)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.where(linear > 0, 2 * product / (linear + root), (root - linear) / (4 * n))
    return (c - b + n * margin) / np.sqrt(n * (2 * q + margin * (1 - margin)))


def shares(
    *,
    n: int,
    discordance: float,
    difference: float,
    margin: float,
    slices: int = 1,
    worse_slices: int | None = None,
    alpha: float = 0.025,
    replications: int = 4000,
    seed: int = 1,
) -> Shares:
    """The verdicts on n cases cut into equal slices that must all pass, against two baselines.

    Args:
      difference: candidate minus baseline, true, in `worse_slices` of the slices (None: in all);
        the others have none.
    """
    size = n // slices
    worse = slices if worse_slices is None else worse_slices
    rng = np.random.default_rng(seed)
    passed = np.ones(replications, np.bool_)
    failed = np.zeros(replications, np.bool_)
    z = normal_quantile(alpha)
    for number in range(slices):
        true = difference if number < worse else 0.0
        for gained, lost in _two_baselines(rng, size, discordance, true, replications):
            statistic = score(gained, lost, size, margin)
            passed &= statistic > z
            failed |= statistic < -z
    return Shares(float(passed.mean()), float(failed.mean()), float((~passed & ~failed).mean()))


def false_pass(*, n: int, discordance: float, margin: float, alpha: float = 0.025) -> float:
    """The probability of PASS at a true loss of exactly the margin, against one baseline.

    Not simulated: summed over every pair of counts that has a probability.
    """
    p_gained, p_lost = discordance / 2, discordance / 2 + margin
    gained, lost = np.meshgrid(
        np.arange(_most(n, p_gained) + 1), np.arange(_most(n, p_lost) + 1), indexing="ij"
    )
    possible = gained + lost <= n
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    rest = np.where(possible, n - gained - lost, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_chance = (
            log_factorial[n]
            - log_factorial[gained]
            - log_factorial[lost]
            - log_factorial[rest]
            + np.where(gained > 0, gained * np.log(p_gained), 0.0)
            + lost * np.log(p_lost)
            + rest * np.log1p(-p_gained - p_lost)
        )
    passes = score(gained, lost, n, margin) > normal_quantile(alpha)
    return float(np.exp(log_chance)[passes & possible].sum())


def losses_in_a_row(
    *,
    n: int,
    discordance: float,
    step: float,
    margin: float,
    releases: int = 5,
    alpha: float = 0.025,
    replications: int = 2000,
    seed: int = 2,
) -> Losses:
    """Each candidate truly loses `step` more than the one before; the first that is not PASS ends
    its chain. Until then each released candidate is the next one's champion; golden stays.
    """
    z = normal_quantile(alpha)
    found = {}
    for with_golden in (False, True):
        rng = np.random.default_rng(seed)  # the same chains for both
        hard = rng.random((replications, n)) < 2 * discordance
        decay = rng.random((replications, n))  # an easy case is wrong once the loss reaches it
        golden = champion = _answers(rng, hard, decay, 0.0)
        running, stopped = np.ones(replications, np.bool_), []
        for release in range(1, releases + 1):
            candidate = _answers(rng, hard, decay, release * step)
            passed = _passes(candidate, champion, margin, z)
            if with_golden:
                passed &= _passes(candidate, golden, margin, z)
            running &= passed
            stopped.append(float(1 - running.mean()))
            champion = candidate
        found[with_golden] = tuple(stopped)
    return Losses(step, n, champion_only=found[False], with_golden=found[True])


def _answers(
    rng: np.random.Generator, hard: NDArray[np.bool_], decay: NDArray, loss: float
) -> NDArray[np.bool_]:
    """Which cases a new model has right, shape (replications, n)."""
    easy_share = 1 - hard.mean()
    tossed = rng.random(hard.shape, np.float32) < 0.5
    right: NDArray[np.bool_] = np.where(hard, tossed, decay >= loss / easy_share)
    return right


def _passes(candidate: NDArray, baseline: NDArray, margin: float, z: float) -> NDArray[np.bool_]:
    gained = (candidate & ~baseline).sum(axis=1)
    lost = (baseline & ~candidate).sum(axis=1)
    passed: NDArray[np.bool_] = score(gained, lost, candidate.shape[1], margin) > z
    return passed


def _two_baselines(
    rng: np.random.Generator, n: int, discordance: float, difference: float, replications: int
) -> Sequence[tuple[Counts, Counts]]:
    """(gained, lost) against champion and against golden, each of shape (replications,)."""
    share = discordance / 4  # of the hard cases, an eighth show each pattern of three answers
    loss, gain = max(-difference, 0.0), max(difference, 0.0)
    chances = [share + loss, share, share, share + gain, share, share]
    drawn = rng.multinomial(n, [*chances, 1 - sum(chances)], size=replications)
    lost_both, lost_first, lost_second, gained_both, gained_first, gained_second = drawn.T[:6]
    return (
        (gained_both + gained_first, lost_both + lost_first),
        (gained_both + gained_second, lost_both + lost_second),
    )


def _most(n: int, p: float) -> int:
    """A count that Binomial(n, p) exceeds with a probability below 1e-12."""
    return min(n, int(n * p + 8 * np.sqrt(n * p * (1 - p)) + 20))
