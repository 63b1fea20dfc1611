import pytest
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo, DriftSkewInfo

from components.admission.findings import FeatureComparison, describe_anomalies, list_comparisons


def measured(*features: tuple[str, float, float], skew: bool = False) -> Anomalies:
    found = Anomalies()
    for name, value, threshold in features:
        info = found.drift_skew_info.add()
        info.path.step.append(name)
        rows = info.skew_measurements if skew else info.drift_measurements
        rows.add(type=DriftSkewInfo.Measurement.L_INFTY, value=value, threshold=threshold)
    return found


def test_every_measurement_is_kept_moved_or_not_in_the_order_of_the_features() -> None:
    found = list_comparisons(
        measured(("site", 0.3, 0.25), ("device", 0.1, 0.25)), of="span-2", against="span-1"
    )
    assert [(one.feature, one.value, one.moved) for one in found] == [
        ("device", 0.1, False),
        ("site", 0.3, True),
    ]
    assert found[1].words == "span-2 against span-1: site: L-infinity 0.300, limit 0.25"


def test_skew_and_drift_are_not_mixed_up() -> None:
    of_skew = measured(("site", 0.3, 0.25), skew=True)
    assert list_comparisons(of_skew, of="a", against="b") == []
    assert len(list_comparisons(of_skew, of="a", against="b", skew=True)) == 1


def test_a_nested_feature_and_a_measure_have_the_names_of_the_field() -> None:
    found = Anomalies()
    info = found.drift_skew_info.add()
    info.path.step.extend(["scanner", "mean"])
    kinds = DriftSkewInfo.Measurement
    for kind in (kinds.JENSEN_SHANNON_DIVERGENCE, kinds.NORMALIZED_ABSOLUTE_DIFFERENCE):
        info.drift_measurements.add(type=kind, value=0.5, threshold=0.25)
    both = list_comparisons(found, of="a", against="b")
    assert [(one.feature, one.measure) for one in both] == [
        ("scanner.mean", "Jensen-Shannon"),
        ("scanner.mean", "NORMALIZED_ABSOLUTE_DIFFERENCE"),
    ]


@pytest.mark.parametrize(("value", "moved"), [(0.25, False), (0.2501, True), (float("nan"), True)])
def test_what_is_at_the_limit_has_not_moved_and_what_is_no_number_has(
    value: float, moved: bool
) -> None:
    one = FeatureComparison("a", "b", "site", "L-infinity", value, 0.25)
    assert one.moved is moved
    assert one.document()["moved"] is moved


def test_no_anomaly_is_no_clause() -> None:
    assert describe_anomalies(Anomalies(), "train") == []


def test_every_anomaly_is_one_clause_in_the_order_of_the_features() -> None:
    found = Anomalies()
    found.anomaly_info["width"].CopyFrom(
        AnomalyInfo(short_description="Out-of-range values", description="Below 32.\nSee schema. ")
    )
    found.anomaly_info["mean"].CopyFrom(
        AnomalyInfo(short_description="High drift", description="0.4 above 0.1.")
    )
    assert describe_anomalies(found, "tune") == [
        "tune: mean: High drift: 0.4 above 0.1",
        "tune: width: Out-of-range values: Below 32. See schema",
    ]


def test_an_anomaly_of_the_whole_split_is_not_overlooked() -> None:
    found = Anomalies()
    found.dataset_anomaly_info.CopyFrom(
        AnomalyInfo(short_description="Too few examples", description="Seen: X.")
    )
    assert describe_anomalies(found, "train") == ["train: Too few examples: Seen: X"]
