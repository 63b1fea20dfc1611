"""The `casegate run` that a retraining starts: its command line, settings and environment."""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from components.records.files import write_atomically
from pipeline.settings.config import AROUND, REPOSITORY, Config
from pipeline.settings.workspace import Workspace

SETTINGS = "config.json"
# The child tells nobody of anything; and byte code that is not written costs every run seconds.
NOT_FOR_THE_CHILD = (
    "CASEGATE_WEBHOOK_SECRET",
    "CASEGATE_SMTP_PASSWORD",
    "PYTHONDONTWRITEBYTECODE",
)
# The same code as this process runs, whatever lies in the current folder.
_CASEGATE = (
    f"import sys; sys.path[0] = {str(REPOSITORY)!r}; "
    "from pipeline.cli import main; main(prog_name='casegate')"
)


def casegate() -> list[str]:
    """The command `casegate` of this very installation."""
    return [sys.executable, "-c", _CASEGATE]


def write_settings(config: Config, folder: Path) -> Path:
    """Keeps the resolved settings that decide a verdict, so that each try runs on the same.

    Those around a run stay out: the child needs none, and a webhook's address may be a secret.
    """
    settings = dataclasses.asdict(config)
    deciding = {name: part for name, part in settings.items() if name not in AROUND}
    path = folder / SETTINGS
    write_atomically(path, json.dumps(deciding, indent=2, sort_keys=True).encode() + b"\n")
    return path


def run_command(
    program: Sequence[str], settings: Path, workspace: Workspace, *, trigger: str, why: str | None
) -> list[str]:
    """`casegate run` on these settings, its outcome as JSON on standard output."""
    command = [*program, "run", "--config", str(settings), "--workspace", str(workspace.root)]
    command += ["--trigger", trigger, "--format", "json"]
    return [*command, "--why", why] if why else command


def environment() -> dict[str, str]:
    """This process's, without what is none of the child's business."""
    return {key: value for key, value in os.environ.items() if key not in NOT_FOR_THE_CHILD}
