"""The password of a metadata server: from the environment or a private file, and nowhere else.

It is read each time a connection is made, and is part of no address, record or graph.
"""

import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from components.records.errors import ConfigError

VARIABLE = "CASEGATE_METADATA_PASSWORD"
FILE_VARIABLE = "CASEGATE_METADATA_PASSWORD_FILE"
WHERE_IT_GOES = f"set {VARIABLE}, or {FILE_VARIABLE} to a file that only you can read"
_HIDDEN = "[password]"


def read_password() -> str | None:
    """The password; None where neither variable is set.

    Raises:
      ConfigError: both are set, or the file is missing, empty or open to others.
    """
    given, file = os.environ.get(VARIABLE), os.environ.get(FILE_VARIABLE)
    if given and file:
        raise ConfigError(f"{VARIABLE} and {FILE_VARIABLE}: both are set; unset one")
    return _from_file(Path(file)) if file else given or None


def _from_file(path: Path) -> str:
    where = f"{FILE_VARIABLE}: {path}"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(f"{where}: others can read it (mode {mode:o}); chmod 600 it")
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{where}: cannot be read: {words}") from None
    if not password:
        raise ConfigError(f"{where}: is empty; put the password there")
    return password


class Redacting(logging.Filter):
    """Takes secrets out of log records; to be added to a handler.

    Nothing that casegate gives to TFX holds the password. This is for what a library may say.
    """

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def filter(self, record: logging.LogRecord) -> bool:
        message = self._without(record.getMessage())
        if message != record.getMessage():
            record.msg, record.args = message, ()
        if record.exc_info:
            # Formatted here, so that no formatter after this one takes it from the exception.
            record.exc_text = self._without(logging.Formatter().formatException(record.exc_info))
        return True

    def _without(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text
