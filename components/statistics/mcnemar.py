"""McNemar's test: do two models that judged the same cases differ at all?

Displayed beside the interval of paired.py, never gated on: a large p value proves no equality.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class McNemar:
    """Two-sided p values in [0, 1] of the hypothesis that a case is as likely gained as lost.

    Attributes:
      exact: conditional binomial; never errs too often, and rarely as often as it may.
      mid_p: counts half the probability of what was seen; closer to the level, at times above.
      asymptotic: chi-squared with one degree of freedom, without continuity correction.
    """

    exact: float
    mid_p: float
    asymptotic: float


def mcnemar(gained: int, lost: int) -> McNemar:
    """The three p values from the discordant counts.

    No discordant case is no evidence of any change: all three are then 1, and so they are where
    as many cases are gained as lost.

    Raises:
      ValueError: a count is negative or not whole.

    Source: McNemar (1947), Psychometrika 12:153-157; mid-p as in Fagerland, Lydersen and Laake
    (2013), BMC Medical Research Methodology 13:91.
    """
    from scipy.special import bdtr

    if not (gained >= 0 and lost >= 0 and gained == int(gained) and lost == int(lost)):
        raise ValueError(f"mcnemar: got {gained} gained and {lost} lost, wanted whole counts >= 0")
    if gained == lost:
        return McNemar(1.0, 1.0, 1.0)
    fewer, discordant = min(gained, lost), gained + lost
    up_to = float(bdtr(fewer, discordant, 0.5))
    below = float(bdtr(fewer - 1, discordant, 0.5)) if fewer else 0.0
    z = abs(gained - lost) / math.sqrt(discordant)
    return McNemar(min(2 * up_to, 1.0), min(up_to + below, 1.0), math.erfc(z / math.sqrt(2)))
