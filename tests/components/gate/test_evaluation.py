"""The Evaluator judges by the same policy, and fails closed where it judged too little."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import MetricsForSlice
from tensorflow_model_analysis.proto.validation_result_pb2 import ValidationResult
from tensorflow_model_analysis.utils.config_util import verify_eval_config

from components.gate.evaluation import eval_config, evaluator_findings
from components.gate.policy import Policy, load_policy
from pipeline.settings.config import CONFIGS
from tests.components.planting import check, policy

pytestmark = pytest.mark.tensorflow

POLICY = policy(
    check("sensitivity", floor=0.8, margin=0.05),
    check("sensitivity", floor=0.7, device="Cirrus"),
    check("specificity", margin=0.1, site="north"),
    check("auc", margin=0.02),
)


def thresholds(rules: Policy) -> dict[tuple[str, str], dict[str, float]]:
    """What each metric is held to on each slice: its lower bound, and the change it may have."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for spec in eval_config(rules).metrics_specs:
        for metric in spec.metrics:
            assert not metric.HasField("threshold")  # it would pass a slice without cases
            for threshold in metric.per_slice_thresholds:
                (where,) = threshold.slicing_specs
                values = ",".join(f"{k}={v}" for k, v in where.feature_values.items())
                limits = {}
                if threshold.threshold.HasField("value_threshold"):
                    limits["floor"] = threshold.threshold.value_threshold.lower_bound.value
                if threshold.threshold.HasField("change_threshold"):
                    change = threshold.threshold.change_threshold
                    assert change.direction == tfma.MetricDirection.HIGHER_IS_BETTER
                    limits["change"] = change.absolute.value
                found[metric.class_name, values] = limits
    return found


def test_every_floor_and_margin_is_a_threshold_on_its_own_slice() -> None:
    assert thresholds(POLICY) == {
        ("Recall", ""): {"floor": 0.8, "change": -0.05},
        ("Recall", "device=Cirrus"): {"floor": 0.7},
        ("Specificity", "site=north"): {"change": -0.1},
        ("AUC", ""): {"change": -0.02},
        ("ExampleCount", ""): {"floor": 1},
    }


def test_what_decides_nothing_or_counts_patients_is_left_to_the_gate() -> None:
    supporting = policy(
        check("sensitivity", floor=0.8, role="supporting"), check("brier", ceiling=0.2)
    )
    patients = policy(check("sensitivity", floor=0.8), patients="aggregated")
    golden = policy(check("sensitivity", margin={"golden": 0.1}))
    for rules in (supporting, patients):
        assert thresholds(rules) == {("ExampleCount", ""): {"floor": 1}}
    assert thresholds(golden) == {("Recall", ""): {}, ("ExampleCount", ""): {"floor": 1}}


def test_tfma_runs_the_signature_as_a_generic_model_and_adds_no_metrics_of_its_own() -> None:
    config = eval_config(POLICY)
    (model,) = config.model_specs
    assert (model.model_type, model.signature_name) == ("tf_generic", "serve_examples")
    assert config.options.HasField("include_default_metrics")
    assert config.options.include_default_metrics.value is False


def test_every_judged_slice_is_computed_once_and_described_ones_not() -> None:
    specs = [
        (dict(spec.feature_values), list(spec.feature_keys))
        for spec in eval_config(POLICY).slicing_specs
    ]
    assert POLICY.descriptive_slices
    wanted = [({}, []), ({"device": "Cirrus"}, []), ({"site": "north"}, [])]
    assert sorted(map(str, specs)) == sorted(map(str, wanted))


@pytest.mark.parametrize("rules", [POLICY, load_policy(CONFIGS / "first_run_policy.yaml")])
def test_the_configuration_is_valid_for_tfma(rules: Policy) -> None:
    config = eval_config(rules)
    verify_eval_config(config)
    assert (
        len(
            tfma.metrics.metric_specs.metric_thresholds_from_metrics_specs(
                config.metrics_specs, config
            )
        )
        > 0
    )


def test_sensitivity_is_judged_on_the_call_and_auc_on_the_probability() -> None:
    by_output = {
        name: {metric.class_name for metric in spec.metrics}
        for spec in eval_config(POLICY).metrics_specs
        for name in spec.output_names
    }
    assert by_output["label"] == {"Recall", "Specificity", "ExampleCount"}
    assert by_output["probability"] == {"AUC"}


def evaluated(folder: Path, *, count: float | None, result: ValidationResult | None = None) -> str:
    """An Evaluator's output that judged `count` cases overall, and twice that in a slice."""

    def write(kind: str, *messages: Any) -> None:
        path = str(folder / f"{kind}-00000-of-00001.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for message in messages:
                writer.write(message.SerializeToString())

    piece, overall = MetricsForSlice(), MetricsForSlice()
    key = piece.slice_key.single_slice_keys.add()
    key.column, key.bytes_value = "device", b"Cirrus"
    for metrics, value in ((piece, 2 * (count or 1)), (overall, count)):
        for name, is_diff, said in (
            ("sensitivity", False, 0.5),
            ("example_count", True, -1.0),
            ("example_count", False, value),
        ):
            if said is not None:
                entry = metrics.metric_keys_and_values.add()
                entry.key.name, entry.key.is_diff = name, is_diff
                entry.value.double_value.value = said
    write("metrics", piece, overall)
    write("validations", result or ValidationResult(validation_ok=True))
    return str(folder)


def test_a_blessing_over_all_cases_is_kept(tmp_path: Path) -> None:
    found = evaluator_findings(evaluated(tmp_path, count=6), blessed=True, cases=6)
    assert found.blessed and found.failures == ()


@pytest.mark.parametrize(("count", "said"), [(None, "None"), (0, "0"), (5, "5"), (7, "7")])
def test_a_blessing_over_another_number_of_cases_is_none(
    tmp_path: Path, count: float | None, said: str
) -> None:
    found = evaluator_findings(evaluated(tmp_path, count=count), blessed=True, cases=6)
    assert not found.blessed and found.faults == (f"judged {said} cases, wanted 6",)


def test_failures_and_missing_slices_are_said_in_words(tmp_path: Path) -> None:
    result = ValidationResult(validation_ok=False)
    keys: list[dict[str, Any]] = [
        {"device": b"\xc3\x84stra"},
        {"device": b"Cirrus", "year": 2024},
        {},
    ]
    for slice_, message in zip(keys, ("", "too few", "")):
        piece = result.metric_validations_per_slice.add()
        for column, value in slice_.items():
            key = piece.slice_key.single_slice_keys.add(column=column)
            setattr(key, "int64_value" if isinstance(value, int) else "bytes_value", value)
        failure = piece.failures.add(message=message)
        failure.metric_key.name, failure.metric_value.double_value.value = "sensitivity", 0.5
        failure.metric_key.is_diff = not slice_
    result.missing_slices.add().feature_values["site"] = "north"
    found = evaluator_findings(evaluated(tmp_path, count=6, result=result), blessed=False, cases=6)
    assert not found.blessed
    assert found.failures == (
        "sensitivity[device=Ästra] 0.5000",
        "sensitivity[device=Cirrus,year=2024] 0.5000 (too few)",
        "sensitivity[overall] 0.5000",
    )
    assert found.missed == (
        "sensitivity[device=Ästra].floor",
        "sensitivity[device=Cirrus,year=2024].floor",
        "sensitivity[overall].non_inferiority.champion",
    )
    assert "north" in found.faults[0] and "has no case" in found.faults[0]
