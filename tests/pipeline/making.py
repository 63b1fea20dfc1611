"""A workspace with small data, as far as a run gets before TensorFlow is needed."""

import json
from pathlib import Path

from components.baselines.scores import CaseScores, save_scores
from components.decision import Decision, save_decision
from components.records.run_files import DECISION, REQUEST, SCORES
from pipeline.run.inputs import Inputs, prepare
from pipeline.settings.config import Config, load_config
from pipeline.settings.workspace import Workspace
from tests.components.cases.making import write_npz

UNSIGNED = "signing.unsigned=true"


class Small:
    """A data set of random images, `chest.npz`, and a workspace beside it.

    Each split has 80 images of either class: enough for the first run's policy to be passable.
    """

    def __init__(self, root: Path) -> None:
        self.data = write_npz(root / "chest.npz", rows=160)
        self.workspace = Workspace(root / "workspace")
        self.baseline = self.workspace.baselines / "chest"
        self.destination = self.workspace.serving / "pneumonia"

    def config(self, *settings: str) -> Config:
        return load_config(None, [f"data.source={json.dumps(str(self.data))}", UNSIGNED, *settings])

    def prepared(self, *settings: str) -> Inputs:
        """What a run on this data rests on; locks the case set the first time."""
        return prepare(self.config(*settings), self.workspace, "run-1")


def write_run(
    workspace: Workspace, run_id: str, decision: Decision, scores: CaseScores, baseline: Path
) -> Path:
    """What a finished run leaves in its folder, as far as an approval reads it."""
    folder = workspace.run_folder(run_id)
    folder.mkdir(parents=True)
    save_decision(decision, folder / DECISION)
    save_scores(scores, folder / SCORES)
    request = {
        "case_set": [str(baseline / "case_set.json"), ""],
        "fingerprint": run_id,
        "training_sha256": "",
    }
    (folder / REQUEST).write_text(json.dumps(request))
    return folder
