"""Per-case scores of a SavedModel, batch by batch."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

BATCH = 256
LATENCY_CALLS = 20
WORKERS = min(8, os.cpu_count() or 1)

Answer = TypeVar("Answer")


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


def score_model(model_path: Path, records: Sequence[str], *, latency: bool = True) -> Scored:
    """Scores every record with the model's `serve_examples`.

    Args:
      model_path: the SavedModel's folder.
      records: gzipped TFRecord files of serialized Examples with a `case_id`.
      latency: whether to measure how long a call with one image takes.
    """
    model = tf.saved_model.load(str(model_path))
    serve = model.signatures["serve_examples"]
    spec = {"case_id": tf.io.FixedLenFeature([], tf.string)}
    ids: list[str] = []
    scores: list[np.ndarray] = []
    dataset = tf.data.TFRecordDataset(sorted(records), compression_type="GZIP").batch(BATCH)

    def scored(batch: tf.Tensor) -> tuple[list[bytes], np.ndarray]:
        names = tf.io.parse_example(batch, spec)["case_id"].numpy()
        return names, serve(examples=batch)["probability"].numpy().astype(np.float64)

    for names, answers in _in_order(scored, dataset.prefetch(1)):
        ids += [name.decode() for name in names]
        scores.append(answers)
    return Scored(
        case_ids=tuple(ids),
        scores=np.concatenate(scores) if scores else np.zeros(0),
        operating_point=float(model.operating_point.numpy()),
        latency_ms=_latency(serve, next(iter(dataset))[:1]) if ids and latency else {},
    )


def read_columns(records: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What the records say of each case beside its image, one at a time.

    Yields:
      `case_id`, `patient_id`, `label`; `numbers`, the quality features, and `words`, the
      attributes, both by name.
    """
    for record in tf.data.TFRecordDataset(sorted(records), compression_type="GZIP"):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        words = {
            name: value.bytes_list.value[0].decode()
            for name, value in features.items()
            if value.HasField("bytes_list") and name != "image"
        }
        yield {
            "case_id": words.pop("case_id"),
            "patient_id": words.pop("patient_id"),
            "label": features["label"].int64_list.value[0],
            "numbers": {
                name: value.float_list.value[0]
                for name, value in features.items()
                if value.HasField("float_list")
            },
            "words": words,
        }


def _in_order(
    function: Callable[[Any], Answer], items: Iterable[Any], *, workers: int = WORKERS
) -> Iterator[Answer]:
    """`map` on threads, in order and a few items ahead: decoding keeps one core busy only."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Answer]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


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
