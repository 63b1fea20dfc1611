"""Cases as columns: what a comparison of served cases with a model's own data works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Sample:
    """Arrays of shape (n_cases,), all in the same order of cases.

    Attributes:
      case_ids: text.
      at: when each was predicted, datetime64[ms] in UTC; NaT where that means nothing.
      scores: in [0, 1].
      positive: bool, the decision at the operating point.
      labels: int8, 1 positive, 0 negative, UNLABELLED where nobody gave one yet.
      numbers: quality features by name, float64, NaN where unknown.
      words: attributes by name, object arrays of text, None where unknown.
    """

    case_ids: npt.NDArray[Any]
    at: npt.NDArray[np.datetime64]
    scores: Floats
    positive: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int8]
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    words: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.case_ids)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Sample":
        """The cases where `chosen` (bool, shape (n_cases,)) is true."""
        return Sample(
            case_ids=self.case_ids[chosen],
            at=self.at[chosen],
            scores=self.scores[chosen],
            positive=self.positive[chosen],
            labels=self.labels[chosen],
            numbers={name: column[chosen] for name, column in self.numbers.items()},
            words={name: column[chosen] for name, column in self.words.items()},
        )
