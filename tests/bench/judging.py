"""Two judges of one SavedModel on the same cases: casegate's scores and gate, and TFMA's evaluator.

`records` draws the cases and locks them; `gate` and `tfma` judge, and `graph` only asks the model,
each in a process of its own that prints one line of JSON. Importing the libraries is not counted.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

from components.baselines.case_set import load_case_set, lock_cases, save_case_set
from components.baselines.golden import Approval, Golden
from components.baselines.scores import CaseScores
from components.cases.images import bytes_sha256, inspect_image, pixels_sha256
from components.decision import save_decision
from components.gate.policy import Policy, load_policy
from components.phantom.source import PhantomSource
from components.records.case import CaseRecord
from components.records.files import sha256_tree
from pipeline.settings.baselines import SHIPPED_BASELINES
from tests.bench.stock_tfx import floors

SEED = 99  # other patients than those that the judged model was trained on
CASES_PER_FILE = 4096


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=["records", "gate", "graph", "tfma"])
    parser.add_argument("--cases", type=int, default=0)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.step == "records":
        write_records(arguments.cases, arguments.folder)
        return
    judge = {"gate": judged_by_gate, "graph": answered_by_graph, "tfma": judged_by_tfma}[
        arguments.step
    ]
    print(json.dumps(judge(arguments.model, arguments.folder)))


def write_records(cases: int, folder: Path) -> None:
    """Gzipped TFRecord files of the cases, and their lock."""
    import tensorflow as tf

    from components.cases.example import serialized_example

    source = PhantomSource.parse(f"phantom:n={cases},seed={SEED}")
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    seen = []
    for split in ("train", "tune"):
        for number, shard in enumerate(source.shards(split, cases_per_shard=CASES_PER_FILE)):
            path = folder / "records" / f"{split}-{number:05d}.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            with tf.io.TFRecordWriter(str(path), options) as writer:
                for case in source.read(shard):
                    writer.write(serialized_example(case, inspect_image(case.image)[1]))
                    seen.append(
                        CaseRecord(
                            case_id=case.case_id,
                            label=case.label,
                            bytes_sha256=bytes_sha256(case.image),
                            pixels_sha256=pixels_sha256(case.image),
                            patient_id=case.patient_id,
                            attributes=dict(case.attributes),
                        )
                    )
    lock = lock_cases(
        seen, name="phantom", author="bench", reason="bench", date="2026-01-31", source=source.spec
    )
    save_case_set(lock, folder / "case_set.json")


def judged_by_gate(model: Path, folder: Path) -> dict[str, float]:
    """Seconds to score every case, and to load the lock, judge and write the decision.

    Golden and champion are the model's own scores under other names, so every rule of the shipped
    policy is applied.
    """
    from components.gate.decide import decide
    from components.scoring.score import score_model

    start = time.monotonic()
    scored = score_model(model, [str(path) for path in (folder / "records").glob("*.gz")])
    scoring = time.monotonic() - start
    scoring_mib = sum(
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    case_set = load_case_set(folder / "case_set.json")
    scores = {
        name: CaseScores(
            case_ids=scored.case_ids,
            scores=scored.scores,
            operating_point=scored.operating_point,
            model_sha256=sha256_tree(model) if name == "candidate" else name[0] * 64,
            scored_case_set=case_set.merkle_root,
            latency_ms=scored.latency_ms,
        )
        for name in ("candidate", "champion", "golden")
    }
    decision = decide(
        policy=policy(),
        case_set=case_set,
        candidate=scores["candidate"],
        champion=scores["champion"],
        golden=Golden(scores["golden"], Approval("bench", "bench", "2026-01-31")),
        evaluator=None,
        scores_only=True,
        findings=(),
        run_id="bench",
        created="2026-01-31T00:00:00Z",
    )
    save_decision(decision, folder / "decision.json")
    seconds = time.monotonic() - start
    return {
        "cases": len(scored.case_ids),
        "seconds": seconds,
        "scoring_seconds": scoring,
        "scoring_mib": scoring_mib,
        "checks": len(decision.checks),
    }


def answered_by_graph(model: Path, folder: Path) -> dict[str, float]:
    """Seconds of the model's own graph, called batch by batch in both signatures.

    Nothing else is counted: no reading, no loading, no first call.
    """
    import tensorflow as tf

    from components.scoring.score import BATCH, EXAMPLES, IMAGES

    loaded = tf.saved_model.load(str(model))
    files = sorted(str(path) for path in (folder / "records").glob("*.gz"))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(BATCH)
    image = {"image": tf.io.FixedLenFeature([], tf.string)}
    cases, seconds = 0, {EXAMPLES: 0.0, IMAGES: 0.0}
    for number, examples in enumerate(records):
        images = tf.io.parse_example(examples, image)["image"]
        for signature, given in ((EXAMPLES, {"examples": examples}), (IMAGES, {"image": images})):
            serve = loaded.signatures[signature]
            if number == 0:
                serve(**given)
            start = time.monotonic()
            serve(**given)["probability"].numpy()
            seconds[signature] += time.monotonic() - start
        cases += len(images)
    total = sum(seconds.values())
    return {"cases": cases, "seconds": total, "examples_seconds": seconds[EXAMPLES]}


def judged_by_tfma(model: Path, folder: Path) -> dict[str, float]:
    """Seconds of TFMA's own analysis, with the floors of the same policy on the same slices."""
    import tensorflow_model_analysis as tfma

    from components.gate.evaluation import eval_config

    start = time.monotonic()
    config = eval_config(floors("phantom"))
    shared = tfma.default_eval_shared_model(eval_saved_model_path=str(model), eval_config=config)
    result = tfma.run_model_analysis(
        eval_shared_model=shared,
        eval_config=config,
        data_location=str(folder / "records" / "*.gz"),
        output_path=str(folder / "tfma"),
    )
    seconds = time.monotonic() - start
    counts = [
        found["example_count"]["doubleValue"]
        for slice_key, by_output in result.slicing_metrics
        for by_class in by_output.values()
        for found in by_class.values()
        if not slice_key and "example_count" in found
    ]
    return {"cases": counts[0], "seconds": seconds}


def policy() -> Policy:
    return load_policy(SHIPPED_BASELINES / "phantom" / "policy.yaml")


if __name__ == "__main__":
    main()
