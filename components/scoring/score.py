"""Per-case scores of a SavedModel, batch by batch."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

BATCH = 256
LATENCY_CALLS = 20


@dataclass(frozen=True)
class Scored:
    """Attributes:
    case_ids: in the order of the records.
    scores: float64 (n,); what the model said, NaN where it said NaN.
    operating_point: the threshold exported with the model.
    latency_ms: median and 95th percentile of a call with one image.
    """

    case_ids: tuple[str, ...]
    scores: np.ndarray
    operating_point: float
    latency_ms: dict[str, float]


def score_model(model_path: Path, records: Sequence[str]) -> Scored:
    """Scores every record with the model's `serve_examples`.

    Args:
      model_path: the SavedModel's folder.
      records: gzipped TFRecord files of serialized Examples with a `case_id`.
    """
    model = tf.saved_model.load(str(model_path))
    serve = model.signatures["serve_examples"]
    spec = {"case_id": tf.io.FixedLenFeature([], tf.string)}
    ids: list[str] = []
    scores: list[np.ndarray] = []
    first: tf.Tensor | None = None
    dataset = tf.data.TFRecordDataset(sorted(records), compression_type="GZIP").batch(BATCH)
    for batch in dataset.prefetch(1):
        if first is None:
            first = batch[:1]
        ids += [name.decode() for name in tf.io.parse_example(batch, spec)["case_id"].numpy()]
        scores.append(serve(examples=batch)["probability"].numpy().astype(np.float64))
    return Scored(
        case_ids=tuple(ids),
        scores=np.concatenate(scores) if scores else np.zeros(0),
        operating_point=float(model.operating_point.numpy()),
        latency_ms={} if first is None else _latency(serve, first),
    )


def _latency(serve: tf.types.experimental.ConcreteFunction, example: tf.Tensor) -> dict[str, float]:
    serve(examples=example)
    times = []
    for _ in range(LATENCY_CALLS):
        start = time.perf_counter()
        serve(examples=example)
        times.append(1000 * (time.perf_counter() - start))
    return {
        "median": round(float(np.median(times)), 3),
        "p95": round(float(np.percentile(times, 95)), 3),
    }
