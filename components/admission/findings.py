"""What TFDV found, for a person: anomalies, and how far each feature moved."""

from dataclasses import asdict, dataclass
from typing import Any

MEASURES = {"L_INFTY": "L-infinity", "JENSEN_SHANNON_DIVERGENCE": "Jensen-Shannon"}
# With fewer, chance alone moves a share of cases by more than the comparators allow.
FEWEST = 100


@dataclass(frozen=True)
class FeatureComparison:
    """One feature of some cases held against the same feature of others.

    Attributes:
      of, against: which cases, as a person calls them.
      value: of the measure, in [0, 1].
      limit: of the comparator in the schema.
    """

    of: str
    against: str
    feature: str
    measure: str
    value: float
    limit: float

    @property
    def moved(self) -> bool:
        # Not `>`: what is not a number has not stayed where it was.
        return not self.value <= self.limit

    @property
    def words(self) -> str:
        return (
            f"{self.of} against {self.against}: {self.feature}: {self.measure} {self.value:.3f}, "
            f"limit {self.limit:g}"
        )

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "moved": self.moved}


def list_comparisons(
    anomalies: Any, *, of: str, against: str, skew: bool = False
) -> list[FeatureComparison]:
    """Every measurement that TFDV made, sorted by feature.

    Args:
      anomalies: tensorflow_metadata's `Anomalies`, of a validation against earlier statistics.
      skew: whether the skew comparators measured, not those of drift.
    """
    found = []
    for info in anomalies.drift_skew_info:
        for measured in info.skew_measurements if skew else info.drift_measurements:
            name = type(measured).Type.Name(measured.type)
            feature = ".".join(info.path.step)
            measure = MEASURES.get(name, name)
            found.append(
                FeatureComparison(of, against, feature, measure, measured.value, measured.threshold)
            )
    return sorted(found, key=lambda one: one.feature)


def describe_anomalies(anomalies: Any, where: str) -> list[str]:
    """Clauses such as "train: mean: Out-of-range values: ...", sorted by feature.

    Args:
      anomalies: tensorflow_metadata's `Anomalies`.
      where: the split, as a person calls it.
    """
    clauses = []
    if anomalies.HasField("dataset_anomaly_info"):
        info = anomalies.dataset_anomaly_info
        clauses.append(f"{where}: {info.short_description}: {info.description}")
    for name in sorted(anomalies.anomaly_info):
        info = anomalies.anomaly_info[name]
        clauses.append(f"{where}: {name}: {info.short_description}: {info.description}")
    return [" ".join(clause.split()).rstrip(".") for clause in clauses]
