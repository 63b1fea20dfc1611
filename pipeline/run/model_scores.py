"""Scores of SavedModels on a case set's own images, which are compared with the lock first.

Imports TensorFlow, and is therefore imported only where a model was given instead of its scores.
"""

import os
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores
from components.cases.lock import apply_lock, usable_cases, verify_source
from components.records.case import Case, Source
from components.records.errors import SourceError

if TYPE_CHECKING:
    from components.scoring.score import Scored


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
    found = score_cases(models, usable_cases(apply_lock(source, case_set)))
    root = case_set.merkle_root
    return {name: scored.of_model(models[name], root) for name, scored in found.items()}


def score_cases(models: Mapping[str, Path], cases: Iterable[Case]) -> dict[str, "Scored"]:
    """What each model says of the cases, by the names of `models`; Raises as `score_models`."""
    # Before TensorFlow is imported: what it logs is none of the reader's business here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        from components.cases.example import serialized_example
        from components.cases.images import inspect_image

    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "cases.gz"
        with tf.io.TFRecordWriter(str(records), tf.io.TFRecordOptions("GZIP")) as writer:
            for case in cases:
                quality = inspect_image(case.image)[1]
                writer.write(serialized_example(case, quality, original=True))
        return {name: _scored(path, records) for name, path in models.items()}


def _scored(model: Path, records: Path) -> "Scored":
    from components.scoring.score import score_model

    try:
        return score_model(model, [str(records)])
    # A stranger's model may fail in any way that TensorFlow has, and none is a fault of the gate.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(
            f"{model}: cannot be scored ({type(error).__name__}: {reason}); wanted a SavedModel "
            "with the signature serve_examples and an operating_point, or a file of its scores"
        ) from error
