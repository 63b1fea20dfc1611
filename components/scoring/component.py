"""One score per case: of the case set for the gate, of the tuning cases for monitoring.

TFMA evaluates, but keeps no score of a case.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model
from tfx.utils import path_utils

from components.artifacts import CaseScores as CaseScoresArtifact
from components.artifacts import Reference
from components.baselines.files import sha256_tree
from components.baselines.scores import CaseScores, save_scores
from components.problems import reported
from components.run_files import REFERENCE, SCORES
from components.scoring.reference import write_reference
from components.scoring.score import read_columns, score_model


@component
def CaseScorer(
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    scores: OutputArtifact[CaseScoresArtifact],
    case_set_root: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Writes `scores.json`: the model's scores of the `test` split, and whose they are."""
    with reported(problems):
        path = Path(path_utils.serving_model_path(model.uri))
        folder = Path(artifact_utils.get_split_uri([examples], "test"))
        scored = score_model(path, [str(file) for file in folder.glob("*.gz")])
        save_scores(
            CaseScores(
                case_ids=scored.case_ids,
                scores=scored.scores,
                operating_point=scored.operating_point,
                model_sha256=sha256_tree(path),
                scored_case_set=case_set_root,
                latency_ms=scored.latency_ms,
            ),
            Path(scores.uri) / SCORES,
        )


@component
def ReferenceScorer(
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    reference: OutputArtifact[Reference],
    code_sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Writes `reference.npz`: quality, attributes, labels and scores of the `tune` split."""
    with reported(problems):
        path = Path(path_utils.serving_model_path(model.uri))
        folder = Path(artifact_utils.get_split_uri([examples], "tune"))
        records = [str(file) for file in folder.glob("*.gz")]
        scored = score_model(path, records, latency=False)
        write_reference(
            Path(reference.uri) / REFERENCE,
            read_columns(records),
            scores=dict(zip(scored.case_ids, scored.scores.tolist(), strict=True)),
            operating_point=scored.operating_point,
        )
