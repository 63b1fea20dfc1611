"""Scores cases with golden's own model, which is found by the hash that golden was approved with.

The only part of the case set's life that needs TensorFlow, and only where cases are added.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from components.baselines.golden import Golden
from components.records.case import Case
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_tree
from components.records.text import first_few
from pipeline.settings.workspace import Workspace


def golden_model(golden: Golden, workspace: Workspace, given: Path | None, ids: list[str]) -> Path:
    """The SavedModel that golden's scores came from.

    Args:
      given: where a person says it is; None looks among the releases and the models of past runs.
      ids: the cases it is needed for, for the error.

    Raises:
      IntegrityError: the given folder holds another model.
      ConfigError: none was given and none is found.
    """
    wanted = golden.scores.model_sha256
    if given is not None:
        digest = sha256_tree(given)
        if digest != wanted:
            raise IntegrityError(
                f"--golden-model {given}: has SHA-256 {digest[:12]}..., golden was scored by "
                f"{wanted[:12]}...; nothing was written: give that model"
            )
        return given
    for folder in _models(workspace):
        if sha256_tree(folder) == wanted:
            return folder
    raise ConfigError(
        f"golden has no score for {first_few(ids)}, and its model {wanted[:12]}... is neither "
        f"under {workspace.serving} nor under {workspace.artifacts}; nothing was written: give it "
        "with --golden-model SAVEDMODEL"
    )


def _models(workspace: Workspace) -> Iterator[Path]:
    """Every model of the workspace, the released ones first."""
    yield from _holding_files(workspace.serving.glob("*/*"))
    yield from _holding_files(workspace.artifacts.rglob("Format-Serving"))


def _holding_files(folders: Iterator[Path]) -> Iterator[Path]:
    return (folder for folder in sorted(folders) if (folder / "saved_model.pb").is_file())


def score_with_golden(golden: Golden, model: Path, cases: Sequence[Case]) -> dict[str, float]:
    """The model's score of each case, by id.

    Raises:
      IntegrityError: the model calls at another operating point than golden does, or answers for
        other cases.
    """
    from pipeline.run.model_scores import score_cases

    scored = score_cases({"golden": model}, cases)["golden"]
    if scored.operating_point != golden.scores.operating_point:
        raise IntegrityError(
            f"{model}: calls at {scored.operating_point}, golden at "
            f"{golden.scores.operating_point}; nothing was written"
        )
    if list(scored.case_ids) != [case.case_id for case in cases]:
        raise IntegrityError(f"{model}: did not answer for each case once; nothing was written")
    return dict(zip(scored.case_ids, map(float, scored.scores)))
