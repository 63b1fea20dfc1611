"""Scores of SavedModels on a case set's own images, which are compared with the lock first.

Imports TensorFlow, and is therefore imported only where a model was given instead of its scores.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from components.baselines.case_set import CaseSet
from components.baselines.files import sha256_tree
from components.baselines.scores import CaseScores
from components.cases.case import BadCase, Source
from components.cases.lock import governed, verify_source
from components.errors import SourceError


def score_models(
    models: Mapping[str, Path], case_set: CaseSet, source: Source
) -> dict[str, CaseScores]:
    """Each model's scores of every case, by the names of `models`.

    Args:
      models: SavedModel folders with the signature `serve_examples` and an `operating_point`.
      source: where the images of the case set are.

    Raises:
      IntegrityError: the images are not those that were locked.
      SourceError: a folder holds no such model.
    """
    verify_source(source, case_set)
    # Before TensorFlow is imported: what it logs is none of the reader's business here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "cases.gz"
        _write_records(governed(source, case_set), records)
        return {name: _scores(path, records, case_set) for name, path in models.items()}


def _write_records(source: Source, path: Path) -> None:
    import tensorflow as tf

    from components.cases.example import serialized_example
    from components.cases.images import inspect_image

    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for shard in source.shards("test"):
            for case in source.read(shard):
                if isinstance(case, BadCase):  # it was readable when it was verified
                    raise SourceError(f"{case.where}: {case.reason}; run again")
                writer.write(serialized_example(case, inspect_image(case.image)[1]))


def _scores(model: Path, records: Path, case_set: CaseSet) -> CaseScores:
    from components.scoring.score import score_model

    sha256 = sha256_tree(model)
    try:
        scored = score_model(model, [str(records)])
    # A stranger's model may fail in any way that TensorFlow has, and none is a fault of the gate.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(
            f"{model}: cannot be scored ({type(error).__name__}: {reason}); wanted a SavedModel "
            "with the signature serve_examples and an operating_point, or a file of its scores"
        ) from error
    return CaseScores(
        case_ids=scored.case_ids,
        scores=scored.scores,
        operating_point=scored.operating_point,
        model_sha256=sha256,
        scored_case_set=case_set.merkle_root,
        latency_ms=scored.latency_ms,
    )
