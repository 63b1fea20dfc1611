from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo

from components.admission.anomalies import describe


def test_no_anomaly_is_no_clause() -> None:
    assert describe(Anomalies(), "train") == []


def test_every_anomaly_is_one_clause_in_the_order_of_the_features() -> None:
    found = Anomalies()
    found.anomaly_info["width"].CopyFrom(
        AnomalyInfo(short_description="Out-of-range values", description="Below 32.\nSee schema. ")
    )
    found.anomaly_info["mean"].CopyFrom(
        AnomalyInfo(short_description="High drift", description="0.4 above 0.1.")
    )
    assert describe(found, "tune") == [
        "tune: mean: High drift: 0.4 above 0.1",
        "tune: width: Out-of-range values: Below 32. See schema",
    ]


def test_an_anomaly_of_the_whole_split_is_not_overlooked() -> None:
    found = Anomalies()
    found.dataset_anomaly_info.CopyFrom(
        AnomalyInfo(short_description="Too few examples", description="Got 3, wanted 100.")
    )
    assert describe(found, "train") == ["train: Too few examples: Got 3, wanted 100"]
