"""The whole graph: from cases to a gated release."""

import dataclasses
import itertools
import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import tensorflow_data_validation as tfdv
from tfx.components.evaluator.component import Evaluator
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.pusher.component import Pusher
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec, ExecutorClassSpec
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.pusher_pb2 import PushDestination
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.proto.transform_pb2 import SplitsConfig
from tfx_bsl.public.proto.slicing_spec_pb2 import SlicingConfig, SlicingSpec

from components.admission.component import DataGate
from components.attestation.component import DecisionAttestor
from components.cases.component import CaseExampleGen
from components.cases.example import QUALITY
from components.exports.component import ExportScorer, ModelExporter
from components.exports.running import presence
from components.federation.component import SiteVerdicts
from components.gate.component import RegressionGate
from components.gate.evaluation import eval_config
from components.records.files import sha256_json
from components.release.component import AtomicPusherExecutor, ChampionModel
from components.scoring.component import CaseScorer, ReferenceScorer, SparedEvaluatorExecutor
from pipeline.run.inputs import Inputs
from pipeline.run.reporting import attest_request
from pipeline.settings.deciding import deciding_sha256

COUNTED = ["image", "label", *QUALITY, "site", "device", "age_band", "sex", "view", "aetiology"]
SPAN = "span"


def create_pipeline(inputs: Inputs) -> Pipeline:
    """The graph for one run; beside every path goes the SHA-256 of what it holds."""
    shared, model = _shared(inputs), _model(inputs)
    admitted = _admit(inputs)
    training, case_set, admission = admitted.training, admitted.case_set, admitted.admission
    transform = admitted.transform
    federated = inputs.config.training.strategy == "federated"
    trainer = Trainer(
        run_fn=f"pipeline.{'federation.coordinator' if federated else 'model.trainer'}.run_fn",
        examples=training.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=TrainArgs(splits=["train"]),
        eval_args=EvalArgs(splits=["tune"]),
        custom_config={
            **model,
            "training": dataclasses.asdict(inputs.config.training),
            "record": inputs.release_record(),
            "problems": str(inputs.workspace.problems),
            "case_set": str(inputs.case_set_path),
        },
    )

    champion = _champion(inputs, case_set, shared)
    evaluator = Evaluator(
        examples=case_set.outputs["examples"],
        example_splits=["test"],
        model=trainer.outputs["model"],
        eval_config=eval_config(inputs.policy),
        **champion["evaluator"],
    )
    evaluator.executor_spec = BeamExecutorSpec(SparedEvaluatorExecutor)
    scorer = CaseScorer(
        examples=case_set.outputs["examples"],
        model=trainer.outputs["model"],
        case_set_root=inputs.case_set.merkle_root,
        lesions=inputs.lesions,
        **shared,
    ).with_id("CandidateScorer")
    reference = ReferenceScorer(
        examples=training.outputs["examples"], model=trainer.outputs["model"], **shared
    )
    exports = _exports(inputs, training, case_set, trainer, shared)
    sites = _sites(inputs, trainer, [evaluator, scorer, reference])
    gate = RegressionGate(
        training_index=training.outputs["index"],
        case_index=case_set.outputs["index"],
        admission=admission.outputs["admission"],
        evaluation=evaluator.outputs["evaluation"],
        evaluator_blessing=evaluator.outputs["blessing"],
        candidate=scorer.outputs["scores"],
        reference=reference.outputs["reference"],
        request=inputs.gate_request(),
        **champion["gate"],
        **{kind: scorer.outputs["scores"] for kind, (_, scorer) in exports.items()},
        **({"sites": sites[0].outputs["answers"]} if sites else {}),
        **shared,
    )
    attestor = DecisionAttestor(
        decision=gate.outputs["decision"],
        blessing=gate.outputs["blessing"],
        training_index=training.outputs["index"],
        model=trainer.outputs["model"],
        request=attest_request(inputs),
        report_fn="pipeline.run.reporting.report",
        problems=shared["problems"],
    )
    return _pipeline(
        inputs,
        [
            *admitted,
            trainer,
            *champion["components"],
            evaluator,
            scorer,
            reference,
            *itertools.chain(*exports.values()),
            *sites,
            gate,
            attestor,
            *_pusher(inputs, trainer, gate, attestor),
        ],
    )


class _Admitted(NamedTuple):
    """What reads, checks and prepares cases: all before training."""

    training: Any
    case_set: Any
    schema: Any
    statistics: Any
    validator: Any
    admission: Any
    transform: Any


def create_admission(inputs: Inputs) -> Pipeline:
    """The part of the graph that a site runs on its own data before it trains with others."""
    return _pipeline(inputs, _admit(inputs))


def _admit(inputs: Inputs) -> _Admitted:
    shared, model = _shared(inputs), _model(inputs)
    cases = {"exif_orientation": inputs.config.data.exif_orientation, **shared}
    lock = {"case_set": str(inputs.case_set_path), "case_set_sha256": inputs.case_set_sha256}

    training = CaseExampleGen(
        source=inputs.source.spec,
        source_sha256=inputs.source_sha256,
        reading=inputs.config.data.reading.to_json(),
        least_tuning_positives=inputs.config.model.least_tuning_positives,
        splits="train,tune",
        skip_bad_cases=inputs.config.data.skip_bad_cases,
        leakage=inputs.policy.leakage,
        odd_pictures=inputs.config.data.odd_pictures,
        near_duplicates=inputs.policy.near_duplicates,
        **lock,
        **cases,
    ).with_id("TrainingCases")
    case_set = CaseExampleGen(
        source=inputs.case_source.spec,
        source_sha256=inputs.case_source_sha256,
        reading=inputs.case_reading.to_json(),
        least_tuning_positives=0,
        splits="test",
        skip_bad_cases=0,
        leakage="stop",
        odd_pictures="report",
        near_duplicates="report",
        **lock,
        **cases,
    ).with_id("CaseSet")

    schema = ImportSchemaGen(schema_file=str(inputs.schema_path))
    statistics = StatisticsGen(
        examples=training.outputs["examples"],
        schema=schema.outputs["schema"],
        stats_options=_counted(inputs),
    )
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    admission = DataGate(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        anomalies=validator.outputs["anomalies"],
        training_index=training.outputs["index"],
        case_index=case_set.outputs["index"],
        previous_statistics=inputs.previous_statistics,
        previous_sha256=inputs.previous_statistics_sha256,
        spans=inputs.compared_spans(),
        drift=inputs.config.data.drift,
        policy=inputs.admission_policy(),
        **shared,
    )

    transform = Transform(
        examples=training.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="pipeline.model.preprocessing.preprocessing_fn",
        splits_config=SplitsConfig(analyze=["train"]),
        materialize=False,
        disable_statistics=True,
        custom_config=model,
    )
    # Nothing is trained before the data is admitted and the case set is what was locked.
    transform.add_upstream_nodes([admission, case_set])
    return _Admitted(training, case_set, schema, statistics, validator, admission, transform)


def _shared(inputs: Inputs) -> dict[str, str]:
    return {"code_sha256": deciding_sha256(), "problems": str(inputs.workspace.problems)}


def _model(inputs: Inputs) -> dict[str, Any]:
    return {**inputs.model_settings(), "code_sha256": deciding_sha256()}


def _pipeline(inputs: Inputs, components: Iterable[Any]) -> Pipeline:
    return Pipeline(
        pipeline_name=inputs.workspace.pipeline_name,
        pipeline_root=str(inputs.workspace.artifacts),
        components=list(components),
        metadata_connection_config=inputs.workspace.store.tfx_config(),
        enable_cache=True,
    )


def _counted(inputs: Inputs) -> tfdv.StatsOptions:
    """What is counted; of spans also in each on its own."""
    if inputs.spans is None:
        return tfdv.StatsOptions(feature_allowlist=COUNTED)
    # Not by `feature_values`: TFDV 1.16 holds their text against bytes, and no slice comes of it.
    slices = SlicingConfig(slicing_specs=[SlicingSpec(feature_keys=[SPAN])])
    return tfdv.StatsOptions(feature_allowlist=[*COUNTED, SPAN], slicing_config=slices)


def _exports(
    inputs: Inputs, training: Any, case_set: Any, trainer: Any, shared: dict[str, str]
) -> dict[str, tuple[Any, Any]]:
    """For each form of the model that is asked for: what makes it, and what scores it."""
    found: dict[str, tuple[Any, Any]] = {}
    # What could not be made or asked is cached as that; a program that came since makes it anew.
    made_by = {**shared, "code_sha256": sha256_json([shared["code_sha256"], presence()])}
    for kind in inputs.config.exports:
        name = kind.title().replace("_", "")
        exporter = ModelExporter(
            examples=training.outputs["examples"],
            model=trainer.outputs["model"],
            kind=kind,
            target_sensitivity=inputs.config.model.target_sensitivity,
            **made_by,
        ).with_id(f"{name}Exporter")
        scorer = ExportScorer(
            examples=case_set.outputs["examples"],
            export=exporter.outputs["export"],
            runtimes=json.dumps(inputs.policy.export_rule(kind).runtimes),
            case_set_root=inputs.case_set.merkle_root,
            **made_by,
        ).with_id(f"{name}Scorer")
        found[kind] = (exporter, scorer)
    return found


def _sites(inputs: Inputs, trainer: Any, before: Iterable[Any]) -> list[Any]:
    """What asks hospitals; nothing where the policy names none.

    Args:
      before: what runs first, as a look of each site is spent on the candidate.
    """
    if not inputs.asks_sites:
        return []
    asking = SiteVerdicts(
        model=trainer.outputs["model"],
        request=inputs.site_request(),
        problems=str(inputs.workspace.problems),
    )
    asking.add_upstream_nodes(list(before))
    return [asking]


def _pusher(inputs: Inputs, trainer: Any, gate: Any, attestor: Any) -> list[Any]:
    """What releases; nothing where a passing candidate is not to be released."""
    if not inputs.config.serving.release:
        return []
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=gate.outputs["blessing"],
        push_destination=PushDestination(
            filesystem=PushDestination.Filesystem(base_directory=str(inputs.destination))
        ),
        custom_executor_spec=ExecutorClassSpec(AtomicPusherExecutor),
        custom_config=inputs.push_request(),
    )
    # Nothing is pushed before it is signed.
    pusher.add_upstream_node(attestor)
    return [pusher]


def _champion(inputs: Inputs, case_set: Any, shared: dict[str, str]) -> dict[str, Any]:
    """What the released model adds to the graph; nothing where nothing is released."""
    if inputs.champion is None:
        return {"components": [], "evaluator": {}, "gate": {}}
    model = ChampionModel(
        version_path=str(inputs.champion.path),
        sha256=inputs.champion.sha256,
        problems=shared["problems"],
    )
    scorer = CaseScorer(
        examples=case_set.outputs["examples"],
        model=model.outputs["model"],
        case_set_root=inputs.case_set.merkle_root,
        lesions=inputs.lesions,
        **shared,
    ).with_id("ChampionScorer")
    return {
        "components": [model, scorer],
        "evaluator": {"baseline_model": model.outputs["model"]},
        "gate": {"champion": scorer.outputs["scores"]},
    }
