"""What a metric sees of a model, and what it answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOOR_METHODS = ("clopper_pearson", "wilson")


@dataclass(frozen=True, eq=False)
class Outputs:
    """One model's answers on a run of cases.

    Attributes:
      labels: bool, shape (n_cases,), True where the case is positive.
      scores: float64, shape (n_cases,), larger means more likely positive.
      operating_point: the model's own; a score equal to it is a positive call.
    """

    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]
    operating_point: float

    @property
    def right(self) -> NDArray[np.bool_]:
        """Where the call agrees with the label, shape (n_cases,)."""
        agrees: NDArray[np.bool_] = (self.scores >= self.operating_point) == self.labels
        return agrees

    def where(self, mask: NDArray[np.bool_]) -> "Outputs":
        """The same answers on the cases of `mask` only."""
        return Outputs(self.labels[mask], self.scores[mask], self.operating_point)


@dataclass(frozen=True)
class Estimate:
    """A metric on `n` cases, in [0, 1], or its change on the same cases, in [-1, 1]."""

    n: int
    estimate: float
    lower: float
    upper: float
    method: str
