"""What a server wrote of its predictions, read back: schemas/prediction.json says how.

A log that cannot be read is never taken for one in which nothing moved: lines that cannot be used
are counted and listed, and more of them than tolerated are an error.
"""

import hashlib
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from components.drift.log_files import (
    Line,
    LogFile,
    log_files,
    milliseconds,
    read_line,
    read_lines,
)
from components.drift.sample import UNLABELLED, Floats, Sample
from components.records.clock import current_time
from components.records.errors import SourceError

LISTED = 100  # of the lines that cannot be used, and of the models
NAMED = 3
AHEAD = timedelta(days=1)  # how far a server's clock may be ahead of this one
MOST_FEATURES = 100  # of either kind; more come from a key where a value should be
UNDECIDED = -1  # a line without a decision
_NAN = float("nan")


class Columns:
    """Columns of equal length, which a million lines fit into, and which grow by a line at a time.

    Attributes:
      at_ms, scores, labels, positive: UNLABELLED and UNDECIDED where the line gives nothing.
      case_ids, versions, sha256s: text, number or None.
      further: by row, what few servers write: patient_id, pixels_sha256 and image.
      left_out: names of features beyond MOST_FEATURES.
    """

    def __init__(self) -> None:
        self.case_ids: list[str] = []
        self.at_ms = array("q")
        self.scores = array("d")
        self.labels = array("b")
        self.positive = array("b")
        self.versions: list[int | None] = []
        self.sha256s: list[str | None] = []
        self.further: dict[int, Mapping[str, str]] = {}
        self.left_out: set[str] = set()
        self._numbers: dict[str, Any] = {}
        self._words: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.case_ids)

    def add(self, line: Line, score: float) -> None:
        content, row = line.content, len(self.case_ids)
        self.case_ids.append(line.case_id)
        self.at_ms.append(line.at_ms)
        self.scores.append(score)
        self.labels.append(UNLABELLED if line.label is None else line.label)
        positive = content.get("positive")
        self.positive.append(UNDECIDED if positive is None else positive)
        self.versions.append(content.get("model_version"))
        sha256 = content.get("model_sha256")
        self.sha256s.append(None if sha256 is None else sys.intern(sha256))
        for name, value in content.get("quality", {}).items():
            self._put(self._numbers, name, _NAN if value is None else value, _NAN)
        for name, value in content.get("attributes", {}).items():
            self._put(self._words, name, sys.intern(value) if value else None, None)
        further = {k: content[k] for k in ("patient_id", "pixels_sha256", "image") if k in content}
        if further:
            self.further[row] = further

    def _put(self, known: dict[str, Any], name: str, value: Any, unknown: Any) -> None:
        """The newest row's value of a feature, unless there are too many features."""
        column = known.get(name)
        if column is None:
            if len(known) >= MOST_FEATURES:
                if len(self.left_out) < MOST_FEATURES:
                    self.left_out.add(name)
                return
            column = known[name] = [] if unknown is None else array("d")
        column.extend([unknown] * (len(self) - 1 - len(column)))
        column.append(value)

    def numbers(self, rows: npt.NDArray[np.intp]) -> dict[str, Floats]:
        """The quality features of these rows, NaN where unknown."""
        return self._chosen(self._numbers, rows, np.full(len(self), _NAN))

    def words(self, rows: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[np.object_]]:
        """The attributes of these rows, None where unknown."""
        return self._chosen(self._words, rows, np.full(len(self), None, dtype=np.object_))

    def _chosen(
        self, known: Mapping[str, Any], rows: npt.NDArray[np.intp], unknown: npt.NDArray[Any]
    ) -> dict[str, npt.NDArray[Any]]:
        found = {}
        for name, column in sorted(known.items()):
            whole = unknown.copy()
            whole[: len(column)] = column
            found[name] = whole[rows]
        return found

    def newest_of_each(self, rows: Iterable[int]) -> npt.NDArray[np.intp]:
        """Of each case among these rows the one predicted last, in the order of time.

        What was written later counts where two were predicted at the same time.
        """
        newest: dict[str, int] = {}
        for row in rows:
            before = newest.get(self.case_ids[row])
            if before is None or self.at_ms[row] >= self.at_ms[before]:
                newest[self.case_ids[row]] = row
        found = np.fromiter(newest.values(), np.intp, len(newest))
        found.sort()
        return found[np.argsort(np.asarray(self.at_ms)[found], kind="stable")]


@dataclass(frozen=True)
class Prediction:
    """One case as it was predicted last.

    Attributes:
      at: ISO 8601 in UTC.
      positive: None where the log does not have it.
      model: hash or version, as the log names it.
      image: path, as the server wrote it; not checked.
    """

    case_id: str
    at: str
    score: float
    positive: bool | None
    model: str
    attributes: Mapping[str, str]
    patient_id: str | None = None
    pixels_sha256: str | None = None
    image: str | None = None


@dataclass(eq=False)
class Log:
    """Attributes:
    files: as far as they were read.
    label_lines: lines that only give a label.
    problems: the first LISTED lines that cannot be used, `file:line: reason`; `unusable` counts.
    later_labels: by case, when its label was known, and the label.
    """

    columns: Columns = field(default_factory=Columns)
    files: list[LogFile] = field(default_factory=list)
    label_lines: int = 0
    problems: list[str] = field(default_factory=list)
    unusable: int = 0
    later_labels: dict[str, tuple[int, int]] = field(default_factory=dict)
    _unknown: Counter[str] = field(default_factory=Counter)

    def add(self, line: Line) -> None:
        if line.unknown:
            self._unknown.update(line.unknown)
        if line.score is not None:
            self.columns.add(line, line.score)
            return
        self.label_lines += 1
        # The label that was known last; of two at the same time the one written later.
        before = self.later_labels.get(line.case_id)
        if line.label is not None and (before is None or line.at_ms >= before[0]):
            self.later_labels[line.case_id] = (line.at_ms, line.label)

    def refuse(self, problem: str) -> None:
        self.unusable += 1
        if len(self.problems) < LISTED:
            self.problems.append(problem)

    @property
    def predictions(self) -> int:
        return len(self.columns)

    @property
    def unknown_keys(self) -> Mapping[str, int]:
        """How often each key stands there that the schema does not know."""
        return dict(self._unknown.most_common(LISTED))

    @property
    def sha256(self) -> str:
        """Of what was read: the hashes of the files' lines, in their order."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()

    def sample_of(
        self, version: int | None, sha256: str | None, *, operating_point: float
    ) -> Sample:
        """The cases of one model, each once, as it was predicted last, in the order of time.

        Args:
          version, sha256: of the model; a line that gives both is judged by the hash.
          operating_point: decides where a line says only the score.
        """
        columns = self.columns
        rows = columns.newest_of_each(self.rows_of(version, sha256))
        scores, positive = np.asarray(columns.scores)[rows], np.asarray(columns.positive)[rows]
        return Sample(
            case_ids=np.array([columns.case_ids[row] for row in rows], dtype=np.object_),
            at=np.asarray(columns.at_ms)[rows].astype("datetime64[ms]"),
            scores=scores,
            positive=np.where(positive == UNDECIDED, scores >= operating_point, positive == 1),
            labels=np.array([self._label(row) for row in rows], dtype=np.int8),
            numbers=columns.numbers(rows),
            words=columns.words(rows),
        )

    def rows_of(self, version: int | None, sha256: str | None) -> list[int]:
        """Rows of `columns` that one model predicted, in the order of the log."""
        lines = zip(self.columns.versions, self.columns.sha256s)
        return [
            row
            for row, (named, hashed) in enumerate(lines)
            if (hashed == sha256 if hashed is not None else named == version)
        ]

    @property
    def models(self) -> Mapping[str, int]:
        """Lines by model as the log names it (`version 3`, its hash, both), the commonest."""
        counted = Counter(zip(self.columns.versions, self.columns.sha256s))
        named = {}
        for (version, sha256), count in counted.most_common(LISTED):
            parts = ["" if version is None else f"version {version}", (sha256 or "")[:12]]
            named[" ".join(filter(None, parts))] = count
        return named

    @property
    def unlinked_labels(self) -> int:
        """Labels of cases that nobody predicted in this log."""
        return len(self.later_labels.keys() - set(self.columns.case_ids))

    def find(self, case_id: str) -> Prediction | None:
        columns = self.columns
        rows = columns.newest_of_each(
            row for row, known in enumerate(columns.case_ids) if known == case_id
        )
        if not rows.size:
            return None
        row = int(rows[0])
        positive, words = columns.positive[row], columns.words(rows)
        return Prediction(
            case_id=case_id,
            at=f"{np.datetime64(columns.at_ms[row], 'ms')}Z",
            score=columns.scores[row],
            positive=None if positive == UNDECIDED else bool(positive),
            model=columns.sha256s[row] or f"version {columns.versions[row]}",
            attributes={name: word for name, (word,) in words.items() if word is not None},
            **columns.further.get(row, {}),
        )

    def with_picture(self, pixels_sha256: str) -> tuple[str, ...]:
        """The ids under which a picture was served."""
        rows = self.columns.further.items()
        of_rows = [row for row, known in rows if known.get("pixels_sha256") == pixels_sha256]
        return tuple(sorted({self.columns.case_ids[row] for row in of_rows}))

    def _label(self, row: int) -> int:
        """What is known last of the row's case."""
        later = self.later_labels.get(self.columns.case_ids[row])
        label, at = self.columns.labels[row], self.columns.at_ms[row]
        if later is None or (label != UNLABELLED and at > later[0]):
            return label
        return later[1]


def read_log(path: Path, *, tolerated: int, now: datetime | None = None) -> Log:
    """Reads a file, or the .jsonl and .jsonl.gz files of a folder.

    Args:
      tolerated: how many unusable lines are.
      now: what is dated later than a day after it is unusable; by default the present.

    Raises:
      SourceError: there is no log, it cannot be read, or more lines than tolerated are unusable.
    """
    latest = (now or current_time()) + AHEAD
    log, latest_ms = Log(), int(latest.timestamp() * 1000)
    for file in log_files(path):
        log.files.append(LogFile(file.name))
        for number, content in read_lines(file, log.files[-1]):
            if content.isspace():
                continue
            try:
                line = read_line(content, latest_ms=latest_ms)
            except ValueError as fault:
                log.refuse(f"{file.name}:{number}: {fault}")
            else:
                log.add(line)
    if log.unusable > tolerated:
        raise SourceError(
            f"{path}: got {log.unusable:,} unusable {'line' if log.unusable == 1 else 'lines'}, "
            f"tolerated {tolerated:,}: {'; '.join(log.problems[:NAMED])}"
            f"{'; ...' if log.unusable > NAMED else ''}; mend what writes the log, or raise "
            "monitoring.malformed_lines"
        )
    return log


def prediction_line(case_id: str, *, at: str, score: float | None = None, **further: Any) -> bytes:
    """One line of a log, with its line feed: to be appended in one write.

    Args:
      case_id, at, score, further: by the keys of schemas/prediction.json; None is left out. Without
        a score the line gives a label that arrived later.

    Raises:
      SourceError: the schema forbids it, or does not know a key.
    """
    keys = {"at": at, "case_id": case_id, "score": score, **further}
    content = orjson.dumps({key: value for key, value in keys.items() if value is not None}) + b"\n"
    try:
        line = read_line(content, latest_ms=milliseconds(at))
    except ValueError as fault:
        raise SourceError(f"case {case_id!r}: {fault}") from None
    if line.unknown:
        raise SourceError(f"case {case_id!r}: unknown key '{min(line.unknown)}'")
    return content
