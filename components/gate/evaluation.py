"""TFMA's EvalConfig, derived from the policy, so that both judges read one file.

Sensitivity and specificity are judged on the released decision at the operating point, which
the signature returns beside the probability: an EvalConfig is fixed when the graph is built,
the operating point only after training.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.gate.conditions import EvaluatorFindings
from components.gate.policy import Check, Policy

SIGNATURE = "serve_examples"
LABEL = "label"
DECISION = "label"
PROBABILITY = "probability"


def eval_config(policy: Policy) -> Any:
    """`tfma.EvalConfig` with a value threshold per floor and a change threshold per margin.

    Only judged slices: TFMA pays for each one per record, and the descriptive ones are exact in
    the decision already. `per_slice_thresholds` throughout: a plain `threshold` passes a slice
    that has no case.
    """
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format

    slices = [slice_spec(check.slice) for check in _judged(policy)]
    slices.append({})
    unique = [entry for place, entry in enumerate(slices) if entry not in slices[:place]]
    return json_format.ParseDict(
        {
            "model_specs": [
                {
                    "model_type": "tf_generic",
                    "signature_name": SIGNATURE,
                    "label_keys": {DECISION: LABEL, PROBABILITY: LABEL},
                }
            ],
            "slicing_specs": unique,
            "metrics_specs": [
                {
                    "output_names": [DECISION],
                    "metrics": _metrics(policy, "sensitivity")
                    + _metrics(policy, "specificity")
                    + [_EXAMPLE_COUNT],
                },
                {"output_names": [PROBABILITY], "metrics": _metrics(policy, "auc")},
            ],
            "options": {"include_default_metrics": False},
        },
        tfma.EvalConfig(),
    )


def slice_spec(slice_: Mapping[str, str]) -> dict[str, Any]:
    return {"feature_values": dict(slice_)} if slice_ else {}


def _judged(policy: Policy) -> list[Check]:
    """The checks that TFMA judges too: it counts images, so none where patients are judged."""
    if policy.patients == "aggregated":
        return []
    return [c for c in policy.checks if c.role == "gate" and c.metric in TFMA_METRIC]


# Without any threshold the Evaluator never blesses; this one holds wherever there is a case.
_EXAMPLE_COUNT = {
    "class_name": "ExampleCount",
    "per_slice_thresholds": [
        {"slicing_specs": [{}], "threshold": {"value_threshold": {"lower_bound": 1}}}
    ],
}

TFMA_METRIC = {
    "sensitivity": ("Recall", {"name": "sensitivity", "thresholds": [0.5]}),
    "specificity": ("Specificity", {"name": "specificity", "thresholds": [0.5]}),
    "auc": ("AUC", {"name": "auc", "num_thresholds": 1000}),
}


def _metrics(policy: Policy, metric: str) -> list[dict[str, Any]]:
    class_name, settings = TFMA_METRIC[metric]
    checks = [check for check in _judged(policy) if check.metric == metric]
    entry: dict[str, Any] = {"class_name": class_name, "config": json.dumps(settings)}
    if checks:
        entry["per_slice_thresholds"] = [
            {"slicing_specs": [slice_spec(check.slice)], "threshold": _threshold(check)}
            for check in checks
        ]
    return [entry]


def _threshold(check: Check) -> dict[str, Any]:
    threshold: dict[str, Any] = {}
    if check.limit is not None:
        threshold["value_threshold"] = {"lower_bound": check.limit}
    if "champion" in check.margins:
        threshold["change_threshold"] = {
            "absolute": -check.margins["champion"],
            "direction": "HIGHER_IS_BETTER",
        }
    return threshold


def evaluator_findings(evaluation: str, *, blessed: bool, cases: int) -> EvaluatorFindings | None:
    """What the Evaluator found, in words; not blessed unless it judged all the locked cases.

    None where it left nothing, because it could not run the model.

    Args:
      evaluation: folder of the Evaluator's `evaluation` output.
      blessed: what its blessing says.
      cases: how many cases the case set has.
    """
    import tensorflow_model_analysis as tfma

    if not any(Path(evaluation).glob("validations*")):
        return None
    failures: list[str] = []
    missed: list[str] = []
    result = tfma.load_validation_result(evaluation)
    for piece in result.metric_validations_per_slice:
        name = ",".join(f"{key.column}={_value(key)}" for key in piece.slice_key.single_slice_keys)
        for failure in piece.failures:
            judged = f"{failure.metric_key.name}[{name or 'overall'}]"
            words = f" ({failure.message})" if failure.message else ""
            failures.append(f"{judged} {_value_of(failure.metric_value)}{words}")
            missed.append(judged + _rule(diff=failure.metric_key.is_diff))
    missing = [str(spec.feature_values or spec.feature_keys) for spec in result.missing_slices]
    faults = [f"slice {spec} has no case" for spec in missing]
    counted = _example_count(evaluation)
    if counted != cases:
        faults.append(f"judged {counted} cases, wanted {cases}")
    sound = blessed and not failures and not faults
    return EvaluatorFindings(sound, tuple(failures), tuple(faults), tuple(missed))


def _rule(*, diff: bool) -> str:
    """How the gate's own check of a threshold ends: a margin is held against the champion alone."""
    return ".non_inferiority.champion" if diff else ".floor"


def _example_count(evaluation: str) -> int | None:
    """How many cases the Evaluator judged overall; None where it does not say."""
    import tensorflow_model_analysis as tfma

    for metrics in tfma.load_metrics(evaluation):
        if metrics.slice_key.single_slice_keys:
            continue
        for entry in metrics.metric_keys_and_values:
            if entry.key.name == "example_count" and not entry.key.is_diff:
                return int(entry.value.double_value.value)
    return None


def _value(key: Any) -> str:
    kind = key.WhichOneof("kind")
    value = getattr(key, kind)
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _value_of(metric: Any) -> str:
    if metric.WhichOneof("type") == "double_value":
        return f"{metric.double_value.value:.4f}"
    return "has no value"
