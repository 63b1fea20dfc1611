"""Whether git itself says of the acceptance criteria what the run record says it said."""

import hashlib
import json
from pathlib import Path

from components.baselines.names import POLICY
from components.lineage.record import RunRecord
from components.records.git import ask_git, run_git
from components.records.run_files import REQUEST
from pipeline.evidence.subject import Evidence
from pipeline.settings.config import REPOSITORY

NOT_HERE = "git could not be asked: the commit is not in a checkout here"
CONFIRMED = "git here has the same text and time"


def committed_in_git(evidence: Evidence, record: RunRecord) -> str:
    """CONFIRMED, NOT_HERE, or what git says otherwise."""
    given = record.inputs
    commit, folder = given.policy_commit or "", _folder(evidence, record)
    shown = ("show", "-s", "--date=iso-strict-local", "--format=%cd", commit, "--")
    time = ask_git(folder, *shown, utc=True)
    text = run_git(folder, "show", f"{commit}:./{POLICY}")
    if time is None or text.failed:
        return NOT_HERE
    at = time.strip().replace("+00:00", "Z")
    if at != given.policy_committed:
        return f"git says otherwise: the commit is of {at}"
    if hashlib.sha256(text.out).hexdigest() != given.policy_sha256:
        return "git says otherwise: the commit has another text"
    return CONFIRMED


def _folder(evidence: Evidence, record: RunRecord) -> Path:
    """The baseline's folder, as the run's request names it; no hash covers that, git's does."""
    path = evidence.workspace.run_folder(record.run_id) / REQUEST
    try:
        return Path(json.loads(path.read_bytes())["policy"][0]).parent
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return REPOSITORY
