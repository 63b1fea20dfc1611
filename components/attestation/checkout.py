"""A private key has no place in a repository, where the next commit would publish it."""

import os
from pathlib import Path

from components.records.errors import ConfigError
from components.records.git import run_git


def refuse_in_checkout(path: Path) -> None:
    """Refuses a private key where git would pick it up.

    Raises:
      ConfigError: it lies inside a git checkout that does not ignore it, or git cannot say.
    """
    place = path.resolve()
    for folder in place.parents:
        if (folder / ".git").exists():
            if not _ignored(place, folder):
                raise ConfigError(
                    f"{path}: lies in the git checkout {folder}, which does not ignore it; keep "
                    "private keys outside of repositories"
                )
            return


def _ignored(path: Path, checkout: Path) -> bool:
    """Whether git says so; only a clear yes counts."""
    # A hook that runs this has variables that would point git at another repository.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return not run_git(checkout, "check-ignore", "--quiet", "--", str(path), environ=environ).failed
