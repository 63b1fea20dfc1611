"""Anomalies in words, one clause each."""

from typing import Any


def describe(anomalies: Any, where: str) -> list[str]:
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
