"""Words as systemd and cron read them back: both have signs of their own beside the shell's."""

import re
import shlex
from collections.abc import Sequence

from components.records.errors import ConfigError

LONGEST_LINE = 990  # of a crontab; cron itself takes no command of 1,000 bytes or more

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")


def checked(word: str, what: str) -> str:
    """The word, where a line of a file can hold it.

    Raises:
      ConfigError: it has signs that no quoting brings across.
    """
    if not word.isprintable() or word != word.strip() or word.endswith("\\"):
        raise ConfigError(
            f"{what}: got {word!r}, wanted printable text that neither begins nor ends with a "
            "space or ends with a backslash"
        )
    return word


def systemd_plain(text: str) -> str:
    """The rest of a line that systemd takes as it is, but for its specifiers."""
    return text.replace("%", "%%")


def systemd_word(word: str) -> str:
    """One word of a list, in quotes where it needs them."""
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{systemd_plain(escaped)}"'


def systemd_command(words: Sequence[str]) -> str:
    """The value of ExecStart=.

    A dollar is doubled in arguments. In the program's own path it is not read as a variable, and
    doubled it would stay so: there, `env` starts the program.
    """
    program, *arguments = words
    if "$" in program:
        program, arguments = "/usr/bin/env", list(words)
    quoted = [systemd_word(word).replace("$", "$$") for word in arguments]
    return " ".join([systemd_word(program), *quoted])


def cron_command(words: Sequence[str], *, folder: str, remark: str) -> str:
    """The command of a crontab's line, run in `folder`.

    Raises:
      ConfigError: cron would not run it as it is meant.
    """
    for word in (folder, *words):
        if "\\" in word:  # crons differ in what becomes of it
            raise ConfigError(
                f"{word!r}: got a backslash, which a crontab cannot hold; use systemd"
            )
    command = f"cd {shlex.quote(folder)} && exec {shlex.join(words)} # {remark}"
    escaped = command.replace("%", "\\%")
    if len(escaped.encode()) > LONGEST_LINE:
        raise ConfigError(
            f"crontab: got a line of {len(escaped.encode())} bytes, wanted at most {LONGEST_LINE}; "
            "use shorter paths, put settings into the file, or use systemd"
        )
    return escaped
