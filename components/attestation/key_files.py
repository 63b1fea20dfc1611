"""Reads the files of keys and passphrases: small files, and secret ones only where they are so.

A private key has no place in a repository, where the next commit would publish it.
"""

import os
import stat
from pathlib import Path

from components.records.errors import ConfigError
from components.records.git import distrust, run_git

PASSPHRASE_VARIABLE = "CASEGATE_KEY_PASSPHRASE"  # noqa: S105 - where it is, not what
PASSPHRASE_FILE_VARIABLE = f"{PASSPHRASE_VARIABLE}_FILE"
WHERE_IT_GOES = f"set {PASSPHRASE_VARIABLE}, or {PASSPHRASE_FILE_VARIABLE} to a private file"
MOST_BYTES = 1 << 16


def read_passphrase() -> str | None:
    """The passphrase of the private keys, as `read_secret` finds it."""
    return read_secret(PASSPHRASE_VARIABLE, "passphrase")


def read_secret(variable: str, what: str) -> str | None:
    """What the environment has, or the private file that `variable` with _FILE names.

    None where neither is set.

    Raises:
      ConfigError: both are set, or the file is missing, empty or open to others.
    """
    given, file = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if given and file:
        raise ConfigError(f"{variable} and {variable}_FILE: both are set; unset one")
    if not file:
        return given or None
    return read_secret_file(Path(file), what)


def read_secret_file(path: Path, what: str) -> str:
    """The text of a private file, without the line's end.

    Raises:
      ConfigError: the file is missing, empty or open to others.
    """
    try:
        secret = read_key_file(path, private=True).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; put the {what} there") from None
    if not secret:
        raise ConfigError(f"{path}: is empty; put the {what} there")
    return secret


def read_key_file(path: Path, *, private: bool) -> bytes:
    """A small regular file; a private one is nobody's to read but its owner's.

    Raises:
      ConfigError: it is missing, no such file, or open to others.
    """
    try:
        # Not to wait for ever where somebody put a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path}: is no file")
            mode = stat.S_IMODE(status.st_mode)
            if private and mode & 0o077:
                raise ConfigError(f"{path}: others can read it (mode {mode:o}); chmod 600 it")
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "not the name of a file"
        raise ConfigError(f"{path}: cannot be read: {words}") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: more than {MOST_BYTES} bytes; that is no key")
    return content


def refuse_in_checkout(path: Path) -> None:
    """Refuses a private key where git would pick it up.

    Raises:
      ConfigError: it lies inside a git checkout that does not ignore it, or git cannot say.
    """
    place = path.resolve()
    for folder in place.parents:
        if (folder / ".git").exists():
            # A hook that runs this has variables that would point git at another repository.
            environ = {key: it for key, it in os.environ.items() if not key.startswith("GIT_")}
            asked = run_git(folder, "check-ignore", str(place), environ=environ)
            if asked.failed:  # only a clear yes counts
                advice = distrust(folder)
                why = f"and {advice}" if advice else "which does not ignore it"
                raise ConfigError(
                    f"{path}: lies in the git checkout {folder}, {why}; keep private keys "
                    "outside of repositories"
                )
            return
