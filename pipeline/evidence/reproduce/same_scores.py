"""Whether two models said the same of the same cases, and where they first differ."""

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
        if math.isnan(self.recorded) and math.isnan(self.again):
            return 0.0
        if self.recorded == self.again:
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
    largest: the case with the largest difference.
    """

    outcome: str
    cases: int
    differing: tuple[ScoreDifference, ...]
    first: ScoreDifference | None
    largest: ScoreDifference | None

    @property
    def reproduced(self) -> bool:
        return self.outcome != DIFFERENT


def compare_scores(recorded: CaseScores, again: CaseScores, *, tolerance: float) -> SameScores:
    """Compares case by case, whatever the order of the cases; -0.0 and 0.0 are the same score.

    A score that is not a number is as it was only where it was none before.

    Args:
      tolerance: the largest difference, at least 0, that still counts as reproduced.
    """
    old, new = _by_case(recorded), _by_case(again)
    differing = []
    for case_id in sorted(old.keys() | new.keys()):
        found = ScoreDifference(case_id, old.get(case_id), new.get(case_id))
        if found.size > 0:
            differing.append(found)
    beyond = [one for one in differing if math.isinf(one.size) or not one.size <= tolerance]
    return SameScores(
        outcome=DIFFERENT if beyond else WITHIN if differing else IDENTICAL,
        cases=len(old.keys() | new.keys()),
        differing=tuple(differing),
        first=next(iter(beyond or differing), None),
        largest=max(differing, key=lambda found: found.size, default=None),
    )


def _by_case(scores: CaseScores) -> dict[str, float]:
    return dict(zip(scores.case_ids, np.asarray(scores.scores).tolist(), strict=True))
