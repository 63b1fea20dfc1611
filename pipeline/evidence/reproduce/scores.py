"""Two sets of scores of the same cases, compared case by case."""

import math
from dataclasses import dataclass

import numpy as np

from components.baselines.scores import CaseScores

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"


@dataclass(frozen=True)
class ScoreDifference:
    """One case: what was recorded of it and what came out again; None where it was not scored."""

    case_id: str
    recorded: float | None
    again: float | None

    @property
    def size(self) -> float:
        """How far apart; infinite where one is not a number, or was not scored."""
        if self.recorded is None or self.again is None:
            return math.inf
        neither = math.isnan(self.recorded) and math.isnan(self.again)
        if neither or self.recorded == self.again:
            return 0.0
        size = abs(self.recorded - self.again)
        return math.inf if math.isnan(size) else size


@dataclass(frozen=True)
class SameScores:
    """Attributes:
    outcome: IDENTICAL to the last bit, WITHIN tolerance, or DIFFERENT.
    cases: how many were compared, or should have been.
    differing: those whose scores are not the same bits, in the order of case ids.
    first: the first case beyond the tolerance; where none is, the first that differs at all.
    """

    outcome: str
    cases: int
    differing: tuple[ScoreDifference, ...]
    first: ScoreDifference | None

    @property
    def largest(self) -> ScoreDifference | None:
        return max(self.differing, key=lambda found: found.size, default=None)


def compare_scores(recorded: CaseScores, again: CaseScores, *, tolerance: float) -> SameScores:
    """Compares case by case, whatever the order of the cases; -0.0 and 0.0 are the same score.

    A score that is not a number is as it was only where it was none before.

    Args:
      tolerance: the largest difference, at least 0, that still counts as reproduced.
    """
    old, new = (
        dict(zip(one.case_ids, np.asarray(one.scores).tolist(), strict=True))
        for one in (recorded, again)
    )
    every = (ScoreDifference(id_, old.get(id_), new.get(id_)) for id_ in sorted({**old, **new}))
    differing = [one for one in every if one.size > 0]
    beyond = [one for one in differing if math.isinf(one.size) or not one.size <= tolerance]
    return SameScores(
        outcome=DIFFERENT if beyond else WITHIN if differing else IDENTICAL,
        cases=len(old.keys() | new.keys()),
        differing=tuple(differing),
        first=next(iter(beyond or differing), None),
    )
