"""What is to be run on schedule, wherever it is installed."""

import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.settings.config import Config, load_config
from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.quoting import checked

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class ScheduledJob:
    """Attributes:
    name: what its unit files and its line in a crontab are called, after `casegate-`.
    program: the absolute path of `casegate`.
    folder: from where relative paths in the settings lead.
    """

    name: str
    program: Path
    config_path: Path
    settings: tuple[str, ...]
    workspace: Path
    folder: Path
    config: Config
    cron: Cron

    @property
    def unit(self) -> str:
        return f"casegate-{self.name}"

    @property
    def mark(self) -> str:
        return mark(self.name, self.workspace)

    def command(self, *words: str) -> list[str]:
        """`casegate` with these words, on the settings and the workspace."""
        given = [word for setting in self.settings for word in ("--set", setting)]
        place = ["--config", str(self.config_path), "--workspace", str(self.workspace)]
        return [str(self.program), *words, *place, *given]

    @property
    def written(self) -> tuple[Path, ...]:
        """Folders that a retraining writes to."""
        directory = self.config.serving.directory
        return (self.workspace, *([(self.folder / directory).resolve()] if directory else []))


def make_job(
    name: str | None, config_path: Path, settings: Sequence[str], workspace: Path
) -> ScheduledJob:
    """The job of this workspace.

    Raises:
      ConfigError: a setting is unusable, or a path cannot be written into a unit file.
    """
    config = load_config(config_path, settings)
    job = ScheduledJob(
        name=job_name(name, workspace),
        program=_program(),
        config_path=config_path.absolute(),
        settings=tuple(settings),
        workspace=workspace.resolve(),
        folder=Path.cwd(),
        config=config,
        cron=Cron.parse(config.schedule.cron),
    )
    for word in (*job.command(), str(job.folder), *map(str, job.written)):
        checked(word, "schedule")
    return job


def job_name(name: str | None, workspace: Path) -> str:
    """The name given, or the workspace's folder as one.

    Raises:
      ConfigError: it is not fit for a file's name.
    """
    if name is None:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", workspace.resolve().name).strip("-.")[:64]
        name = name or "workspace"
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--name: got {name!r}, wanted letters, digits, dots, - and _")
    return name


def mark(name: str, workspace: Path) -> str:
    """How what was installed for this workspace is known again."""
    digest = hashlib.sha256(str(workspace.resolve()).encode()).hexdigest()
    return f"casegate-{name} {digest[:16]}"


def _program() -> Path:
    """`casegate` beside this Python, or the one that the shell finds."""
    beside = Path(sys.executable).with_name("casegate")
    found = str(beside) if beside.is_file() else shutil.which("casegate")
    if found is None:
        raise ConfigError("casegate: got no such program on the PATH, wanted it installed there")
    return Path(found).absolute()
