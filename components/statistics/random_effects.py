"""One effect over several hospitals that need not be alike: a random-effects meta-analysis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PooledEffect:
    """Attributes:
    tau2: variance between hospitals.
    i2: share of the variation that is between them and not by chance, in [0, 1].
    """

    estimate: float
    lower: float
    upper: float
    tau2: float
    i2: float


def pool_effects(
    effects: Sequence[float], errors: Sequence[float], *, alpha: float
) -> PooledEffect:
    """The mean of effects, weighted by how well each is known and by how they differ.

    The variance between is DerSimonian and Laird's (Controlled Clinical Trials 7, 1986), the bounds
    are Hartung and Knapp's (Statistics in Medicine 20, 2001), never narrower than the plain ones,
    as Roever et al. advise where there are few (BMC Medical Research Methodology 15, 2015).

    Args:
      effects: one of each of k hospitals, k at least 2.
      errors: their standard errors, above 0.
      alpha: one-sided error rate of each bound.
    """
    from scipy.special import stdtrit

    y, variances = np.asarray(effects, np.float64), np.square(np.asarray(errors, np.float64))
    assert y.size > 1 and np.all(variances > 0)
    fixed = 1 / variances
    spread = float(np.sum(fixed * (y - np.average(y, weights=fixed)) ** 2))
    free = y.size - 1
    scale = float(fixed.sum() - np.sum(fixed**2) / fixed.sum())
    tau2 = max(0.0, (spread - free) / scale)
    weights = 1 / (variances + tau2)
    mean = float(np.average(y, weights=weights))
    wider = max(1.0, float(np.sum(weights * (y - mean) ** 2)) / free)
    half = -float(stdtrit(free, alpha)) * math.sqrt(wider / float(weights.sum()))
    i2 = max(0.0, 1 - free / spread) if spread > 0 else 0.0
    return PooledEffect(mean, mean - half, mean + half, tau2, i2)
