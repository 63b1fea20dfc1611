"""How often the shipped policy releases an honest retraining, and blocks a planted regression.

    python -m tests.measure.retrainings phantom --seeds 20
    python -m tests.measure.retrainings PATH/pneumoniamnist.npz --seeds 20 --golden 3

Trains with the shipped configuration, without TFX, scores the case set and asks the gate. Its
figures stand in the rationale of the shipped policies.
"""

import argparse
import dataclasses
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow as tf

from components.baselines.case_set import load_case_set
from components.baselines.golden import Approval, Golden, load_golden
from components.baselines.scores import CaseScores
from components.cases.case import Case
from components.cases.example import serialized_example
from components.cases.images import inspect_image
from components.cases.sources import open_source
from components.decision import Decision, Verdict
from components.gate.decide import decide
from components.gate.policy import load_policy
from pipeline.config import ModelConfig, load_config, shipped_config
from pipeline.inputs import SHIPPED_BASELINES
from pipeline.model.batches import Records
from pipeline.model.preprocessing import preprocessing_fn
from pipeline.model.trainer import fit

PLANTED = {
    "phantom": (
        "phantom:label_noise=0.5",
        "phantom:label_noise=0.2",
        "phantom:leave_out=effusion",
        "phantom:leave_out=Cirrus",
        "phantom:n=800",
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--golden", type=int, help="take this seed's model as golden")
    chosen = parser.parse_args()
    print("source | seed | sensitivity | specificity | AUC | verdict | not passed")
    name = open_source(chosen.source).name
    baseline = SHIPPED_BASELINES / name
    case_set, policy = (
        load_case_set(baseline / "case_set.json"),
        load_policy(baseline / "policy.yaml"),
    )
    golden = None
    if chosen.golden is not None:
        with tempfile.TemporaryDirectory() as folder:
            scores = next(iter(retrained(chosen.source, [chosen.golden], Path(folder))))[1]
        golden = Golden(scores, Approval("nobody", "measurement", "2000-01-01"))
    else:
        golden = load_golden(baseline / "golden.json")
    jobs = [(chosen.source, range(1, chosen.seeds + 1))]
    jobs += [(source, range(1, 2)) for source in PLANTED.get(name, ())]
    for source, seeds in jobs:
        with tempfile.TemporaryDirectory() as folder:
            for seed, scores in retrained(source, seeds, Path(folder)):
                decision = decide(
                    policy=policy,
                    case_set=case_set,
                    candidate=scores,
                    champion=None,
                    golden=golden,
                    evaluator=None,
                    scores_only=True,
                    findings=(),
                    run_id="measurement",
                    created="2000-01-01T00:00:00Z",
                )
                print(_line(source, seed, decision), flush=True)


def retrained(source: str, seeds: Any, folder: Path) -> Any:
    """Yields (seed, CaseScores) for each seed, with the shipped configuration for the source."""
    model = load_config(shipped_config(source)).model
    records = {split: _records(source, split, model, folder) for split in ("train", "tune")}
    judged, ids = _records(source, "test", model, folder), _ids(source)
    root = load_case_set(SHIPPED_BASELINES / open_source(source).name / "case_set.json").merkle_root
    pixels, _ = judged.arrays()
    for seed in seeds:
        keras.backend.clear_session()
        network, found = fit(
            dataclasses.replace(model, seed=seed), records["train"], records["tune"]
        )
        yield (
            seed,
            CaseScores(
                case_ids=tuple(ids),
                scores=network.predict(pixels, verbose=0)[:, 0],
                operating_point=float(np.float32(found["operating_point"])),
                model_sha256=f"{seed:064d}",
                scored_case_set=root,
            ),
        )


def _records(source: str, split: str, model: ModelConfig, folder: Path) -> Records:
    path, labels = folder / f"{split}.gz", []
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for case in _cases(source, split):
            writer.write(serialized_example(case, inspect_image(case.image)[1]))
            labels.append(case.label)

    def prepare(features: Any) -> Any:
        return preprocessing_fn(dict(features), {"image_size": model.image_size})

    return Records([str(path)], prepare, model.image_size, len(labels), sum(labels))


def _ids(source: str) -> list[str]:
    return [case.case_id for case in _cases(source, "test")]


def _cases(source: str, split: str) -> Any:
    opened = open_source(source)
    for shard in opened.shards(split):
        for case in opened.read(shard):
            assert isinstance(case, Case), case
            yield case


def _line(source: str, seed: int, decision: Decision) -> str:
    overall = {s.metric: s.estimate for s in decision.slices if s.slice == "overall"}
    figures = " | ".join(f"{overall[name]:.4f}" for name in ("sensitivity", "specificity", "auc"))
    open_checks = [check.check for check in decision.checks if check.verdict is not Verdict.PASS]
    return f"{source} | {seed} | {figures} | {decision.verdict.value} | {', '.join(open_checks)}"


if __name__ == "__main__":
    main()
