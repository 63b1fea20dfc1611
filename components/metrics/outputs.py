"""What a metric sees of a model, and what it answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Outputs:
    """One model's answers on a run of cases.

    Attributes:
      labels: bool, shape (n_cases,), True where the case is positive.
      scores: float64, shape (n_cases,), larger means more likely positive.
      operating_point: the model's own; a score equal to it is a positive call.
      patients: int64, shape (n_cases,), the patient of each case, where several cases of one
        patient are not to count as independent; else None.
    """

    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]
    operating_point: float
    patients: NDArray[np.int64] | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Where the call agrees with the label, shape (n_cases,)."""
        return (self.scores >= self.operating_point) == self.labels

    def where(self, mask: NDArray[np.bool_]) -> "Outputs":
        """The same answers on the cases of `mask` only."""
        if mask.all():
            return self
        places = np.flatnonzero(mask)  # of a million, a few are picked faster by their places
        patients = None if self.patients is None else self.patients[places]
        return Outputs(self.labels[places], self.scores[places], self.operating_point, patients)

    def by_patient(self, patients: NDArray[np.int64]) -> "Outputs":
        """One case a patient: positive where any of its cases is, scored by the highest score.

        Args:
          patients: shape (n_cases,), any integers; the answers come in their order.
        """
        known, place = np.unique(patients, return_inverse=True)
        labels = np.zeros(known.size, np.bool_)
        np.logical_or.at(labels, place, self.labels)
        scores = np.full(known.size, -np.inf)
        np.maximum.at(scores, place, self.scores)
        return Outputs(labels, scores, self.operating_point)


@dataclass(frozen=True)
class Estimate:
    """A metric on `n` cases, in [0, 1], or its change on the same cases, in [-1, 1]."""

    n: int
    estimate: float
    lower: float
    upper: float
    method: str
