"""Whether a person could be told by what runs on schedule, without the shell's environment."""

from collections.abc import Mapping
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.unattended.notifying import check
from pipeline.unattended.scheduling.job import ScheduledJob


def check_told(job: ScheduledJob, secrets: Path | None) -> None:
    """Refuses an installation that would be silent.

    Args:
      secrets: the file of variables that it will have; None where it will have none.

    Raises:
      ConfigError: a setting of notify is unusable, or a secret is not where it will be looked for.
    """
    try:
        check(job.config.notify, _variables(secrets) if secrets else {})
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
