"""git, asked without a shell, a password prompt, or locks that a person may wait for."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60


@dataclass(frozen=True)
class GitAnswer:
    """What git answered. `failed` too where it is not there, or took too long."""

    failed: bool
    out: bytes = b""
    error: str = ""


def run_git(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    seconds: int = SECONDS,
    environ: Mapping[str, str] = os.environ,
) -> GitAnswer:
    """Runs `git -C folder ARGUMENTS`.

    Args:
      given: for its standard input.
      environ: what it sees of the environment; a hook's GIT_INDEX_FILE has to reach it.
    """
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=given,
            capture_output=True,
            timeout=seconds,
            env={**environ, **quiet},
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return GitAnswer(True, error=str(error))
    return GitAnswer(done.returncode != 0, done.stdout, done.stderr.decode("utf-8", "replace"))


def distrust(folder: Path) -> str:
    """What to do where git answers nothing because the checkout is somebody else's; else empty."""
    error = run_git(folder, "rev-parse", "--show-toplevel").error
    _, found, place = error.partition("--add safe.directory ")
    if not found:
        return ""
    return (
        "git does not trust the checkout, which belongs to somebody else; if you do, run "
        f"`git config --global --add safe.directory {place.split(chr(10))[0]}`"
    )


def ask_git(folder: Path, *arguments: str, utc: bool = False) -> str | None:
    """What git prints, with signs that are no UTF-8 replaced; None where it refuses.

    Args:
      utc: whether its local times are UTC.
    """
    answer = run_git(folder, *arguments, environ={**os.environ, **({"TZ": "UTC"} if utc else {})})
    return None if answer.failed else answer.out.decode("utf-8", "replace")
