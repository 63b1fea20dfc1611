"""One score per case: of the case set for the gate, of the tuning cases for monitoring.

TFMA evaluates, but keeps no score of a case.
"""

import logging
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model
from tfx.utils import path_utils

from components.artifacts import CaseScoresArtifact, ReferenceArtifact
from components.baselines.scores import Servability, save_scores
from components.phantom.source import PhantomSource
from components.records.errors import Unservable
from components.records.problems import report_error
from components.records.run_files import REFERENCE, SCORES
from components.scoring.attention import ask_attention
from components.scoring.reference import write_reference
from components.scoring.score import Scored, read_case_ids, read_columns, score_model
from components.scoring.served import probe
from components.scoring.spread import ask_workers, is_spread

PARTS = "parts"  # of answers, while workers are asked


@component(use_beam=True)
def CaseScorer(
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    scores: OutputArtifact[CaseScoresArtifact],
    case_set_root: Parameter[str],
    lesions: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Writes `scores.json`: the model's scores of the `test` split, and whose they are.

    Args:
      lesions: the phantom that knows where they are; empty where nobody does, or asks.
    """
    with report_error(problems):
        path = Path(path_utils.serving_model_path(model.uri))
        records = _records(artifact_utils.get_split_uri([examples], "test"))
        scored = _scored(path, records, beam_pipeline, Path(scores.uri) / PARTS)
        found = scored.of_model(path, case_set_root)
        if lesions:
            found = replace(
                found, attention=ask_attention(path, records, PhantomSource.parse(lesions))
            )
        save_scores(found, Path(scores.uri) / SCORES)


@component(use_beam=True)
def ReferenceScorer(
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    reference: OutputArtifact[ReferenceArtifact],
    code_sha256: Parameter[str],
    problems: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Writes `reference.npz`: quality, attributes, labels and scores of the `tune` split."""
    with report_error(problems):
        path = Path(path_utils.serving_model_path(model.uri))
        records = _records(artifact_utils.get_split_uri([examples], "tune"))
        scored = _scored(path, records, beam_pipeline, Path(reference.uri) / PARTS, check=False)
        write_reference(
            Path(reference.uri) / REFERENCE,
            read_columns(records),
            scores=dict(zip(scored.case_ids, scored.scores.tolist(), strict=True)),
            operating_point=scored.operating_point,
        )


class SparedEvaluatorExecutor(evaluator_executor.Executor):
    """TFX's Evaluator, which a model that cannot be run does not bring down.

    Such a model is the gate's to block; an Evaluator that raised would end the run without a
    decision.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        try:
            super().Do(input_dict, output_dict, exec_properties)
        except Exception:
            model = artifact_utils.get_single_instance(input_dict["model"])
            if probe(Path(path_utils.serving_model_path(model.uri))).fault is None:
                raise  # the model can be run, so the fault is elsewhere
            logging.getLogger(__name__).exception("not evaluated: the model cannot be run")
            blessing = artifact_utils.get_single_instance(output_dict["blessing"])
            blessing.set_int_custom_property(
                constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE
            )


def _scored(
    model: Path, records: list[str], pipeline: beam.Pipeline, parts: Path, *, check: bool = True
) -> Scored:
    """As `score_model`, but a model that nothing can run scores NaN."""
    asked = partial(ask_workers, pipeline, model, records, parts, check=check)
    try:
        return score_model(
            model, records, check=check, asked=asked if is_spread(pipeline, records) else None
        )
    except Unservable as error:
        ids = tuple(read_case_ids(records))
        return Scored(ids, np.full(len(ids), math.nan), math.nan, {}, Servability(str(error)))


def _records(folder: str) -> list[str]:
    return [str(file) for file in Path(folder).glob("*.gz")]
