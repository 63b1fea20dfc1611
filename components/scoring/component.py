"""CaseScorer: one score per case of the case set, for the statistics that TFMA does not have."""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model
from tfx.utils import path_utils

from components.artifacts import CaseScores as CaseScoresArtifact
from components.baselines.files import sha256_tree
from components.baselines.scores import CaseScores, save_scores
from components.problems import reported
from components.run_files import SCORES
from components.scoring.score import score_model


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
