"""What a child writes to standard error, line by line: kept, heard, and without secrets."""

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from components.records.errors import CasegateError
from components.records.problems import parse_json_line
from components.records.text import printable

HIDDEN = "[secret]"


class Lines:
    """Cuts a stream into lines, for a log and for whoever listens.

    An error that is said as an object is kept as `error`; whoever listens does not hear that line.
    """

    def __init__(self, log: Path, heard: Callable[[str], None], secrets: Sequence[str]) -> None:
        self.last = ""  # line that was not empty
        self.error: CasegateError | None = None
        self._heard = heard
        self._secrets = [*secrets, *(json.dumps(secret)[1:-1] for secret in secrets)]
        self._rest = b""
        self._log: IO[str] | None = log.open("a", encoding="utf-8")

    def take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._tell(line)

    def close(self) -> None:
        if self._rest:
            self._tell(self._rest)
            self._rest = b""
        if self._log:
            with contextlib.suppress(OSError):
                self._log.close()

    def _tell(self, raw: bytes) -> None:
        line = raw.decode("utf-8", errors="replace")
        error = parse_json_line(line)
        # What a library writes must not move a person's cursor.
        text = printable(self._without_secrets(line)).rstrip()
        if not text:
            return
        self.last = text.strip()
        if error is None:
            self._heard(text)
        else:
            self.error = type(error)(self._without_secrets(str(error)))
        if self._log:
            try:
                self._log.write(text + "\n")
                self._log.flush()
            except OSError:  # a full disk: the run matters more than its log
                self._log = None

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text
