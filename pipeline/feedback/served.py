"""Which cases were served, as the prediction log says: nobody can have an opinion on another."""

import math
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.feedback.opinion import Predicted
from components.feedback.record import Record

if TYPE_CHECKING:
    from components.drift.log import Log


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
        """What each promotion sent where, by its id."""
        return self.workspace / "feedback" / "promotions"


FRESH_S = 30.0  # a busy server's log grows all the time, and takes seconds to read


@dataclass(frozen=True)
class ServedCase:
    """A case as it was served last.

    Attributes:
      patient_id, pixels_sha256: None where the log does not say.
      image: where the server says that its image is; None as above.
    """

    case_id: str
    patient_id: str | None
    pixels_sha256: str | None
    attributes: Mapping[str, str]
    image: Path | None
    predicted: Predicted


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

    def find(self, case_id: str) -> ServedCase | None:
        """The case's last prediction; None where the log, as it is by now, has none.

        A case that was served again less than FRESH_S ago may be shown as it was before.

        Raises:
          SourceError: there is no log, or it cannot be read.
        """
        if time.monotonic() - self._read_at > FRESH_S:
            self._reread()
        known = self._log
        found = known.find(case_id) if known else None
        if found is None and (log := self._reread()) is not known:
            found = log.find(case_id)
        if found is None:
            return None
        return ServedCase(
            case_id=case_id,
            patient_id=found.patient_id,
            pixels_sha256=found.pixels_sha256,
            attributes=dict(found.attributes),
            image=self._folder / found.image if found.image else None,
            predicted=Predicted(
                score=float(found.score),
                positive=found.positive,
                model=found.model_sha256 or f"version {found.model_version}",
                at=found.at,
            ),
        )

    def with_picture(self, pixels_sha256: str) -> tuple[str, ...]:
        """The ids under which a picture was served."""
        known = self._log
        found = _with_picture(known, pixels_sha256) if known else ()
        if not found and (log := self._reread()) is not known:
            found = _with_picture(log, pixels_sha256)
        return found

    def counts(self) -> tuple[int, int, int]:
        """How many cases were served: all, those called positive, those called negative."""
        columns = self._reread().columns
        rows = columns.newest_of_each(range(len(columns)))
        decided = [columns.positive[row] for row in rows]
        return len(decided), decided.count(1), decided.count(0)

    @property
    def _folder(self) -> Path:
        """What a relative path in the log is relative to."""
        return self.path if self.path.is_dir() else self.path.parent

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


def _with_picture(log: "Log", pixels_sha256: str) -> tuple[str, ...]:
    columns = log.columns
    rows = [r for r, x in columns.further.items() if x.get("pixels_sha256") == pixels_sha256]
    return tuple(sorted({columns.case_ids[row] for row in rows}))
