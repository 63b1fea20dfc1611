"""Whether git itself says of the acceptance criteria what the run record says it said."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

from components.lineage.record import RunRecord
from components.run_files import REQUEST
from pipeline.config import REPOSITORY
from pipeline.lineage.subject import Evidence

NOT_HERE = "git could not be asked: the commit is not in a checkout here"
CONFIRMED = "git here has the same text and time"


def committed_in_git(evidence: Evidence, record: RunRecord) -> str:
    """CONFIRMED, NOT_HERE, or what git says otherwise."""
    given = record.inputs
    commit, folder = given.policy_commit or "", _folder(evidence, record)
    time = _git(folder, "show", "-s", "--date=iso-strict-local", "--format=%cd", commit, "--")
    text = _git(folder, "show", f"{commit}:./policy.yaml")
    if time is None or text is None:
        return NOT_HERE
    at = time.decode().strip().replace("+00:00", "Z")
    if at != given.policy_committed:
        return f"git says otherwise: the commit is of {at}"
    if hashlib.sha256(text).hexdigest() != given.policy_sha256:
        return "git says otherwise: the commit has another text"
    return CONFIRMED


def _folder(evidence: Evidence, record: RunRecord) -> Path:
    """The baseline's folder, as the run's request names it; no hash covers that, git's does."""
    path = evidence.workspace.run_folder(record.run_id) / REQUEST
    try:
        return Path(json.loads(path.read_bytes())["policy"][0]).parent
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return REPOSITORY


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git prints; None where it fails, or is not there."""
    if not folder.is_dir():
        return None
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=20,
            check=True,
            env={**os.environ, "TZ": "UTC"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
