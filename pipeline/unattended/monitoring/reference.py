"""Finds what served cases are compared with: the data behind the model now released."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.drift.reference import load_reference
from components.drift.sample import Sample
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.files import sha256_file
from components.records.run_files import REFERENCE
from components.release.serving import Champion, find_champion
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class MonitoringReference:
    """Attributes:
    model: the folder's name under which the champion is served.
    run_id: the run that made the champion.
    path: of the reference cases, with their hash.
    operating_point: the score from which on the champion calls a case positive.
    """

    model: str
    champion: Champion
    run_id: str
    path: Path
    sha256: str
    sample: Sample
    operating_point: float


def find_reference(config: Config, workspace: Workspace) -> MonitoringReference:
    """The champion's own cases.

    Raises:
      NothingEvaluated: nothing is released, or its run left no reference cases.
      IntegrityError: the champion or the reference is not what a run wrote.
    """
    serving = config.serving
    destination = workspace.destination(serving.model_name, serving.directory)
    champion = find_champion(destination, workspace.runs)
    if champion is None:
        raise NothingEvaluated(
            f"{destination}: nothing is released, so there is nothing to compare predictions with; "
            "release a model first, or name its folder with --set serving.model_name"
        )
    run = champion.decision.parent
    path = run / REFERENCE
    if not path.is_file():
        raise NothingEvaluated(
            f"{path}: got no such file, wanted the cases behind version {champion.version}; "
            "its run was judged before casegate kept them: run the pipeline again"
        )
    sample = load_reference(path)
    return MonitoringReference(
        model=serving.model_name,
        champion=champion,
        run_id=run.name,
        path=path,
        sha256=sha256_file(path),
        sample=sample,
        operating_point=_operating_point(path),
    )


def _operating_point(path: Path) -> float:
    with np.load(path, allow_pickle=False) as archive:
        found = archive["operating_point"] if "operating_point" in archive.files else None
        if found is None or found.shape != () or not 0 <= float(found) <= 1:
            raise IntegrityError(
                f"{path}: got no operating point from 0 to 1; restore the file or run again"
            )
        return float(found)
