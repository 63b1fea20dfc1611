"""What a server wrote of its predictions, read back: schemas/prediction.json says how.

A log that cannot be read is never taken for one in which nothing moved: lines that cannot be used
are counted and listed, and more of them than tolerated are an error.
"""

import hashlib
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from components.drift.log_files import Line, LogFile, LogReading, log_files, milliseconds, read_line
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
            numbers = self._numbers.get(name)
            if numbers is None or len(numbers) < row:
                numbers = self._column(self._numbers, name, row, _NAN)
            if numbers is not None:
                numbers.append(_NAN if value is None else value)
        for name, value in content.get("attributes", {}).items():
            words = self._words.get(name)
            if words is None or len(words) < row:
                words = self._column(self._words, name, row, None)
            if words is not None:
                words.append(sys.intern(value) if value else None)
        further = {k: content[k] for k in ("patient_id", "pixels_sha256", "image") if k in content}
        if further:
            self.further[row] = further

    def _column(self, known: dict[str, Any], name: str, row: int, unknown: Any) -> Any:
        """A feature's column up to this row; None where there are too many features."""
        column = known.get(name)
        if column is None:
            if len(known) >= MOST_FEATURES:
                if len(self.left_out) < MOST_FEATURES:
                    self.left_out.add(name)
                return None
            column = known[name] = [] if unknown is None else array("d")
        column.extend([unknown] * (row - len(column)))
        return column

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
      label: None where nobody gave one yet.
      image: path, as the server wrote it; not checked.
    """

    case_id: str
    at: str
    score: float
    positive: bool | None
    label: int | None
    model_version: int | None
    model_sha256: str | None
    patient_id: str | None
    pixels_sha256: str | None
    image: str | None
    quality: Mapping[str, float]
    attributes: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Log:
    """Attributes:
    files: as far as they were read.
    predictions, label_lines: lines of either kind.
    problems: the first LISTED lines that cannot be used, `file:line: reason`; `unusable` counts.
    unknown_keys: how often each key stands there that the schema does not know.
    later_labels: by case, when its label was known, and the label.
    """

    files: tuple[LogFile, ...]
    predictions: int
    label_lines: int
    problems: tuple[str, ...]
    unusable: int
    unknown_keys: Mapping[str, int]
    columns: Columns
    later_labels: Mapping[str, tuple[int, int]]

    @property
    def sha256(self) -> str:
        """Of what was read: the hashes of the files' lines, in their order."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()

    @property
    def sample(self) -> Sample:
        """Every case once, whichever model predicted it last; see `sample_of`."""
        return self._sample(self.columns.newest_of_each(range(len(self.columns))), None)

    def sample_of(
        self, version: int | None, sha256: str | None, *, operating_point: float | None = None
    ) -> Sample:
        """The cases of one model, each once, as it was predicted last, in the order of time.

        Args:
          version, sha256: of the model; a line that gives both is judged by the hash.
          operating_point: decides where a line says only the score.

        Raises:
          SourceError: a line does not say the decision, and there is no operating point.
        """
        rows = self.rows_of(version, sha256)
        return self._sample(self.columns.newest_of_each(rows), operating_point)

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
        """The case's last prediction, by whichever model; None where the log has none."""
        columns = self.columns
        rows = columns.newest_of_each(
            row for row, known in enumerate(columns.case_ids) if known == case_id
        )
        if not rows.size:
            return None
        row = int(rows[0])
        further = columns.further.get(row, {})
        numbers = {name: float(column[0]) for name, column in columns.numbers(rows).items()}
        words = {name: column[0] for name, column in columns.words(rows).items()}
        positive, label = columns.positive[row], self._label(row)
        return Prediction(
            case_id=case_id,
            at=f"{np.datetime64(columns.at_ms[row], 'ms')}Z",
            score=columns.scores[row],
            positive=None if positive == UNDECIDED else bool(positive),
            label=None if label == UNLABELLED else label,
            model_version=columns.versions[row],
            model_sha256=columns.sha256s[row],
            patient_id=further.get("patient_id"),
            pixels_sha256=further.get("pixels_sha256"),
            image=further.get("image"),
            quality={name: value for name, value in numbers.items() if np.isfinite(value)},
            attributes={name: value for name, value in words.items() if value is not None},
        )

    def _label(self, row: int) -> int:
        """What is known last of the row's case."""
        later = self.later_labels.get(self.columns.case_ids[row])
        label, at = self.columns.labels[row], self.columns.at_ms[row]
        if later is None or (label != UNLABELLED and at > later[0]):
            return label
        return later[1]

    def _sample(self, rows: Any, operating_point: float | None) -> Sample:
        columns = self.columns
        scores = np.asarray(columns.scores)[rows]
        positive = np.asarray(columns.positive)[rows]
        undecided = positive == UNDECIDED
        if undecided.any() and operating_point is None:
            first = columns.case_ids[int(rows[int(np.argmax(undecided))])]
            raise SourceError(
                f"{self.files[0].name}: {int(undecided.sum())} predictions say no 'positive', "
                f"the first of case {first!r}, and the model's operating point is not known"
            )
        decided = scores >= (0.5 if operating_point is None else operating_point)
        return Sample(
            case_ids=np.array([columns.case_ids[row] for row in rows], dtype=np.object_),
            at=np.asarray(columns.at_ms)[rows].astype("datetime64[ms]"),
            scores=scores,
            positive=np.where(undecided, decided, positive == 1),
            labels=np.array([self._label(row) for row in rows], dtype=np.int8),
            numbers=columns.numbers(rows),
            words=columns.words(rows),
        )


def read_log(path: Path, *, tolerated: int, now: datetime | None = None) -> Log:
    """Reads a file, or the .jsonl and .jsonl.gz files of a folder.

    Args:
      tolerated: how many unusable lines are.
      now: what is dated later than a day after it is unusable; by default the present.

    Raises:
      SourceError: there is no log, it cannot be read, or more lines than tolerated are unusable.
    """
    latest = (now or current_time()) + AHEAD
    latest_ms = int(latest.timestamp() * 1000)
    columns, labels, unknown = Columns(), dict[str, tuple[int, int]](), Counter[str]()
    files, problems, unusable, label_lines = [], list[str](), 0, 0
    for file in log_files(path):
        reading = LogReading(file)
        for number, content in reading.lines():
            if content.isspace():
                continue
            try:
                line = read_line(content, latest_ms=latest_ms)
            except ValueError as fault:
                unusable += 1
                if len(problems) < LISTED:
                    problems.append(f"{file.name}:{number}: {fault}")
                continue
            if line.unknown:
                unknown.update(line.unknown)
            if line.score is not None:
                columns.add(line, line.score)
                continue
            label_lines += 1
            # The label that was known last; of two at the same time the one written later.
            before = labels.get(line.case_id)
            if line.label is not None and (before is None or line.at_ms >= before[0]):
                labels[line.case_id] = (line.at_ms, line.label)
        files.append(reading.result())
    if unusable > tolerated:
        raise SourceError(_too_many(path, unusable, tolerated, problems))
    return Log(
        files=tuple(files),
        predictions=len(columns),
        label_lines=label_lines,
        problems=tuple(problems),
        unusable=unusable,
        unknown_keys=dict(unknown.most_common(LISTED)),
        columns=columns,
        later_labels=labels,
    )


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


def _too_many(path: Path, unusable: int, tolerated: int, problems: list[str]) -> str:
    first = "; ".join(problems[:NAMED])
    return (
        f"{path}: got {unusable:,} unusable {'line' if unusable == 1 else 'lines'}, tolerated "
        f"{tolerated:,}: {first}{'; ...' if unusable > NAMED else ''}; mend what writes the log, "
        "or raise monitoring.malformed_lines"
    )
