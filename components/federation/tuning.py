"""The operating point of a federated model, of counts alone: no site sends a score.

A site counts, at each threshold of a fixed grid, how many of its tuning positives and negatives
score at or above it. Counts of sites add up, so their sum can be had by secure aggregation, too.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.records.errors import NothingEvaluated, RefusedUpdate
from components.records.text import spell
from components.scoring.operating_point import needed_positives

STEPS = 1000
# 0, 0.001, ..., 1: every score of a sigmoid is at or above the first.
GRID: tuple[float, ...] = tuple(step / STEPS for step in range(STEPS + 1))


@dataclass(frozen=True)
class TuningCounts:
    """How many tuning cases of a site score at or above each threshold of GRID."""

    site: str
    positives: tuple[int, ...]
    negatives: tuple[int, ...]


def count_scores(
    site: str, scores: npt.NDArray[np.floating], labels: npt.NDArray[np.generic]
) -> TuningCounts:
    """Counts a site's tuning scores, shape (n,), in [0, 1]; labels are 1 or 0.

    Raises:
      NothingEvaluated: a score that is not in [0, 1].
    """
    if not ((scores >= 0) & (scores <= 1)).all():
        raise NothingEvaluated(
            f"site {spell(site)}: got tuning scores outside of [0, 1], wanted probabilities; "
            "look at the weights of the round"
        )
    counted = []
    for label in (1, 0):
        ordered = np.sort(scores[labels == label].astype(np.float64))
        below = np.searchsorted(ordered, GRID, side="left")
        counted.append(tuple(int(ordered.size - each) for each in below))
    return TuningCounts(site, *counted)


def choose_from_counts(counts: Sequence[TuningCounts], *, target_sensitivity: float) -> float:
    """As `components.scoring.operating_point.choose_operating_point`, of the sites' counts.

    Args:
      counts: of every site that tunes; of all together, where they were added before.
      target_sensitivity: in (0, 1).

    Returns:
      A threshold in the gap between the step of the grid with the last positive that must be
      called and the next lower step that has a score, midway. It calls what the rule calls of the
      pooled scores, and beside that no score but of that one step.

    Raises:
      RefusedUpdate: counts that no scores can have.
      NothingEvaluated: no positive at any site.
    """
    for each in counts:
        _check(each)
    positives, negatives = (
        np.sum([getattr(each, kind) for each in counts] or [[0] * len(GRID)], axis=0)
        for kind in ("positives", "negatives")
    )
    if positives[0] == 0:
        raise NothingEvaluated(
            f"operating point: got no tuning positive from {len(counts)} sites, wanted at least "
            "one; check the sites' tuning splits"
        )
    needed = needed_positives(int(positives[0]), target_sensitivity)
    last = int(np.flatnonzero(positives >= needed)[-1])
    both = positives + negatives
    # The lowest threshold that the same cases reach lies one above the next lower step in use; it
    # is 0 where none is lower.
    gap = int(np.flatnonzero(both == both[last])[0])
    return (GRID[last] + GRID[gap]) / 2.0


def _check(counts: TuningCounts) -> None:
    for kind in ("positives", "negatives"):
        given = getattr(counts, kind)
        falling = all(one >= other for one, other in itertools.pairwise(given))
        whole = all(type(each) is int and each >= 0 for each in given)
        if len(given) != len(GRID) or not whole or not falling:
            raise RefusedUpdate(
                f"site {spell(counts.site)}: tuning {kind}: got {len(given)} counts that no scores "
                f"have, wanted {len(GRID)} whole numbers, none above the one before; leave the "
                "site out, and find out what it runs"
            )
