"""The other yardstick: the same graph from TFX's own components alone, run by TFX's own runner.

`records` writes the cases as TFRecords, since stock TFX reads no images; `run` runs the graph
on them and prints one line of JSON.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import tensorflow as tf

from components.cases.example import QUALITY, serialized_example
from components.cases.images import inspect_image
from components.cases.sources import open_source
from components.gate.policy import Policy, load_policy
from components.records.case import SPLITS, BadCase
from pipeline.run.inputs import SCHEMA
from pipeline.settings.baselines import FIRST_RUN_POLICY, SHIPPED_BASELINES
from pipeline.settings.config import load_config, shipped_config
from pipeline.settings.sections import ModelConfig

COUNTED = ["image", "label", *QUALITY, "site", "device", "age_band", "sex", "view", "aetiology"]
SERVED = "served"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=["records", "run"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.step == "records":
        write_records(arguments.data, arguments.folder / "records")
        return
    pushed = run(arguments.data, arguments.folder)
    print(json.dumps({"pushed": pushed}))


def write_records(data: str, folder: Path) -> None:
    """One gzipped TFRecord file per split, with the features that the pipeline's own have."""
    source = open_source(data)
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / split / "cases.gz"), options) as writer:
            for shard in source.shards(split):
                for case in source.read(shard):
                    if isinstance(case, BadCase):
                        raise SystemExit(f"{case.where}: {case.reason}")
                    writer.write(serialized_example(case, inspect_image(case.image)[1]))


def run(data: str, folder: Path) -> bool:
    """Runs the graph; whether the Evaluator's blessing let the Pusher push."""
    from tfx import v1 as tfx
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

    model = load_config(shipped_config(data)).model
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=str(folder / "artifacts"),
        components=components(folder, model, floors(data)),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(folder / "metadata.sqlite")
        ),
    )
    BeamDagRunner().run(pipeline)
    return (folder / SERVED).exists() and any((folder / SERVED).iterdir())


def floors(data: str) -> Policy:
    """The policy that judges the pipeline's own run, without what needs a baseline."""
    shipped = SHIPPED_BASELINES / open_source(data).name / "policy.yaml"
    policy = load_policy(shipped if shipped.exists() else FIRST_RUN_POLICY)
    return replace(policy, checks=tuple(replace(check, margins={}) for check in policy.checks))


def components(folder: Path, model: ModelConfig, policy: Policy) -> list[Any]:
    """ExampleGen to Pusher, with the options that the pipeline's own graph gives them."""
    import tensorflow_data_validation as tfdv
    from tfx import v1 as tfx

    from components.gate.evaluation import eval_config

    settings = {
        "model": {**vars(model), "filters": list(model.filters)},
        "image_size": model.image_size,
        "training": {},
        "record": {},
        "problems": str(folder / "problem.json"),
    }
    records = folder / "records"
    training = _examples(records, ["train", "tune"]).with_id("TrainingCases")
    case_set = _examples(records, ["test"]).with_id("CaseSet")
    schema = tfx.components.ImportSchemaGen(schema_file=str(SCHEMA))
    statistics = tfx.components.StatisticsGen(
        examples=training.outputs["examples"],
        schema=schema.outputs["schema"],
        stats_options=tfdv.StatsOptions(feature_allowlist=COUNTED),
    )
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = tfx.components.Transform(
        examples=training.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="pipeline.model.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"]),
        materialize=False,
        disable_statistics=True,
        custom_config=settings,
    )
    trainer = tfx.components.Trainer(
        run_fn="pipeline.model.trainer.run_fn",
        examples=training.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(splits=["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["tune"]),
        custom_config=settings,
    )
    evaluator = tfx.components.Evaluator(
        examples=case_set.outputs["examples"],
        example_splits=["test"],
        model=trainer.outputs["model"],
        eval_config=eval_config(policy),
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(folder / SERVED))
        ),
    )
    judged = [transform, trainer, evaluator, pusher]
    return [training, case_set, schema, statistics, validator, *judged]


def _examples(records: Path, splits: list[str]) -> Any:
    from tfx import v1 as tfx

    read = [tfx.proto.Input.Split(name=name, pattern=f"{name}/*.gz") for name in splits]
    # A single input split would be cut into train and eval, and two thirds never judged.
    whole = [tfx.proto.SplitConfig.Split(name=splits[0], hash_buckets=1)]
    alone = tfx.proto.Output(split_config=tfx.proto.SplitConfig(splits=whole))
    return tfx.components.ImportExampleGen(
        input_base=str(records),
        input_config=tfx.proto.Input(splits=read),
        output_config=alone if len(splits) == 1 else None,
    )


if __name__ == "__main__":
    main()
