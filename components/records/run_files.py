"""Names of the files in a run's folder, which outlive it, and of the states that it can be in."""

import json
from pathlib import Path
from typing import Any

from components.records.errors import IntegrityError

DECISION = "decision.json"
REQUEST = "request.json"
SCORES = "scores.json"  # the candidate's, for the approval that may follow
CHAMPION_SCORES = "champion_scores.json"
REPORT = "report.md"
HTML_REPORT = "report.html"
LOG = "run.log"
RUN_RECORD = "run.json"
LINEAGE = "lineage.json"  # the run's part of ML Metadata when it ended
DIFF = "uncommitted.diff"  # what the code had that its commit had not

SITES = "sites.json"  # what the sites that the policy names were asked, and answered

# In a model's folder: what it was trained on and how, as far as its maker says.
RELEASE_RECORD = Path("assets.extra") / "release.json"

# TensorBoard's event files, a folder for each model and for the training.
BOARD = "board"

# TFDV statistics of the training split: the next run's data are compared with the champion's.
STATISTICS = "training_statistics.pb"

# What was found of the training data before training was allowed.
ADMISSION = "admission.json"

# The tuning cases behind a model, with its scores: what served cases are compared with.
REFERENCE = "reference.npz"

# Signed in-toto statements, in DSSE envelopes.
DECISION_ATTESTATION = "decision.dsse.json"
RELEASE_ATTESTATION = "release.dsse.json"

# What can become of a run. `running` is only true while the process that wrote it lives.
RUN_STATES = (
    *("running", "released", "passed", "joined", "already_released", "blocked", "inconclusive"),
    *("failed", "killed", "unchanged"),
)


def read_request(path: Path) -> dict[str, Any]:
    """What a run asked its gate.

    Raises:
      IntegrityError: it cannot be read, or names neither what the run judged nor what it trained.
    """
    try:
        request: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        str(request["fingerprint"] + request["training_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path}: not what a run asked its gate ({type(error).__name__}: {error}); restore it"
        ) from None
    return request
