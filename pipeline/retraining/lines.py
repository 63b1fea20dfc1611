"""What a child writes to standard error, line by line: kept, heard, and without secrets."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

HIDDEN = "[secret]"


class Lines:
    """Cuts a stream into lines, for a log and for whoever listens."""

    def __init__(self, log: Path, heard: Callable[[str], None], secrets: Sequence[str]) -> None:
        self.last = ""  # line that was not empty
        self._heard = heard
        self._secrets = secrets
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
        text = raw.decode("utf-8", errors="replace")
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        # What a library writes must not move a person's cursor.
        text = "".join(c if c.isprintable() else " " for c in text).rstrip()
        if not text:
            return
        self.last = text.strip()
        self._heard(text)
        if self._log:
            try:
                self._log.write(text + "\n")
                self._log.flush()
            except OSError:  # a full disk: the run matters more than its log
                self._log = None
