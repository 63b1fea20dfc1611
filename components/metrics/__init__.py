"""The metrics a policy may name. One entry enrols a metric in the gate and in its tests."""

from dataclasses import dataclass
from typing import Literal, Protocol

from components.metrics.auc import auc, auc_change
from components.metrics.calibration import brier, brier_change, ece, ece_change
from components.metrics.calls import (
    sensitivity,
    sensitivity_change,
    specificity,
    specificity_change,
)
from components.metrics.outputs import Estimate, Outputs
from components.statistics.intervals import PROPORTION_METHODS
from components.statistics.paired import PAIRED_METHODS


class EstimateFunction(Protocol):
    def __call__(self, model: Outputs, *, alpha: float, method: str) -> Estimate: ...


class ChangeFunction(Protocol):
    def __call__(
        self, candidate: Outputs, baseline: Outputs, *, alpha: float, method: str
    ) -> Estimate: ...


@dataclass(frozen=True)
class Metric:
    """How a metric is computed.

    Attributes:
      judges: the cases it is taken over.
      methods: intervals a policy may choose for its limit, the default first.
      paired_methods: intervals for its change, the default first.
      higher_is_better: whether its limit is a floor, and a loss is a negative change.
    """

    judges: Literal["positives", "negatives", "all"]
    methods: tuple[str, ...]
    paired_methods: tuple[str, ...]
    higher_is_better: bool
    estimate: EstimateFunction
    change: ChangeFunction


_OF_SHARES = (tuple(PROPORTION_METHODS), PAIRED_METHODS, True)
METRICS = {
    "sensitivity": Metric("positives", *_OF_SHARES, sensitivity, sensitivity_change),
    "specificity": Metric("negatives", *_OF_SHARES, specificity, specificity_change),
    "auc": Metric("all", ("delong",), ("delong",), True, auc, auc_change),
    "brier": Metric("all", ("normal",), ("normal",), False, brier, brier_change),
    "ece": Metric("all", ("normal",), ("normal",), False, ece, ece_change),
}

__all__ = ["METRICS", "Estimate", "Metric", "Outputs"]
