"""What is to be run on schedule, wherever it is installed."""

import hashlib
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.settings.config import Config, load_config
from pipeline.unattended.notifying.channels import check as check_channels
from pipeline.unattended.scheduling.cron import Cron

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
    name: str | None, config: Path, settings: Sequence[str], workspace: Path
) -> ScheduledJob:
    """The job of this workspace.

    Raises:
      ConfigError: a setting is unusable, or a path cannot be written into a unit file.
    """
    read = load_config(config, settings)
    job = ScheduledJob(
        name=job_name(name, workspace),
        program=_program(),
        config_path=config.absolute(),
        settings=tuple(settings),
        workspace=workspace.resolve(),
        folder=Path.cwd(),
        config=read,
        cron=Cron.parse(read.schedule.cron),
    )
    for word in (*job.command(), str(job.folder), *map(str, job.written)):
        _check_word(word)
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


def _check_word(word: str) -> None:
    """Refuses a word with signs that no quoting brings across to systemd or cron."""
    if not word.isprintable() or word != word.strip() or word.endswith("\\"):
        raise ConfigError(
            f"schedule: got {word!r}, wanted printable text that neither begins nor ends with a "
            "space or ends with a backslash"
        )


def check_notices(job: ScheduledJob, secrets: Path | None) -> None:
    """Refuses an installation that would be silent.

    Args:
      secrets: the file of variables that it will have; None where it will have none.

    Raises:
      ConfigError: a setting of notify is unusable, or a secret is not where it will be looked for.
    """
    try:
        check_channels(job.config.notify, _variables(secrets) if secrets else {})
    except ConfigError as error:
        place = f"{secrets} is its environment" if secrets else "cron has no environment of yours"
        raise ConfigError(f"{error} ({place})") from None


def _variables(file: Path) -> Mapping[str, str]:
    """The lines NAME=VALUE of a file, without the quotes around a value; none without a file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file}: cannot be read, wanted NAME=VALUE a line") from None
    pairs = (line.strip().partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {name: value.strip().strip("'\"") for name, _, value in pairs}
