"""Which cases were served, as the prediction log says: nobody can have an opinion on another."""

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.feedback.record import Record

if TYPE_CHECKING:
    from components.drift.log import Log, Prediction

_T = TypeVar("_T")


@dataclass(frozen=True)
class FeedbackPlaces:
    """Attributes:
    workspace: its folder, absolute.
    """

    workspace: Path

    @property
    def record(self) -> Record:
        return Record(self.workspace / "feedback.jsonl")

    @property
    def images(self) -> Path:
        """Images that a person gave with an opinion; no others are ever kept."""
        return self.workspace / "feedback" / "images"

    @property
    def proposals(self) -> Path:
        return self.workspace / "feedback" / "proposals"

    @property
    def promotions(self) -> Path:
        return self.workspace / "feedback" / "promotions"


FRESH_S = 30.0  # a busy server's log grows all the time, and takes seconds to read


class ServedCases:
    """The cases of a prediction log, read when first asked for, and again where it has grown.

    A line that cannot be used hides no other: what the log does say was served, was served. It is
    the monitor that holds the log to its contract.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: object = None
        self._log: Log | None = None
        self._read_at = -math.inf
        self._reading = threading.Lock()

    @property
    def folder(self) -> Path:
        """What a relative path in the log is relative to."""
        return self.path if self.path.is_dir() else self.path.parent

    def find(self, case_id: str) -> "Prediction | None":
        """The case's last prediction; None where the log, as it is by now, has none.

        A case that was served again less than FRESH_S ago may be shown as it was before.

        Raises:
          SourceError: there is no log, or it cannot be read.
        """
        if time.monotonic() - self._read_at > FRESH_S:
            self._reread()
        return self._ask(lambda log: log.find(case_id))

    def with_picture(self, pixels_sha256: str) -> tuple[str, ...]:
        return self._ask(lambda log: log.with_picture(pixels_sha256)) or ()

    def _ask(self, question: "Callable[[Log], _T]") -> "_T | None":
        """The log's answer; where it has none, that of the log as it is by now."""
        known = self._log
        found = question(known) if known else None
        if not found and (log := self._reread()) is not known:
            found = question(log)
        return found

    def counts(self) -> tuple[int, int, int]:
        """How many cases were served: all, those called positive, those called negative."""
        columns = self._reread().columns
        rows = columns.newest_of_each(range(len(columns)))
        decided = [columns.positive[row] for row in rows]
        return len(decided), decided.count(1), decided.count(0)

    def _reread(self) -> "Log":
        """The log as it is by now, whoever read it: another request may just have done so."""
        from components.drift.log import read_log
        from components.drift.log_files import log_files

        with self._reading:
            files = [(path, path.stat()) for path in log_files(self.path)]
            state = [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in files]
            if self._log is None or state != self._state:
                self._log, self._state = read_log(self.path, tolerated=sys.maxsize), state
            self._read_at = time.monotonic()
            return self._log
