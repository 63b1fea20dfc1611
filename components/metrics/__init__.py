"""The metrics a policy may name. One entry enrols a metric in the gate and in its tests."""

from dataclasses import dataclass
from typing import Literal, Protocol

from components.metrics.auc import auc, auc_change
from components.metrics.outputs import FLOOR_METHODS, Estimate, Outputs
from components.metrics.sensitivity import sensitivity, sensitivity_change
from components.metrics.specificity import specificity, specificity_change


class EstimateFunction(Protocol):
    def __call__(self, model: Outputs, *, alpha: float, method: str) -> Estimate: ...


class ChangeFunction(Protocol):
    def __call__(self, candidate: Outputs, baseline: Outputs, *, alpha: float) -> Estimate: ...


@dataclass(frozen=True)
class Metric:
    """How a metric is computed.

    Attributes:
      judges: the cases it is taken over.
      methods: intervals a policy may choose for its floor, the default first.
    """

    judges: Literal["positives", "negatives", "all"]
    methods: tuple[str, ...]
    estimate: EstimateFunction
    change: ChangeFunction


METRICS = {
    "sensitivity": Metric("positives", FLOOR_METHODS, sensitivity, sensitivity_change),
    "specificity": Metric("negatives", FLOOR_METHODS, specificity, specificity_change),
    "auc": Metric("all", ("delong",), auc, auc_change),
}

__all__ = ["METRICS", "Estimate", "Metric", "Outputs"]
