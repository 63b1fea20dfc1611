"""What a prediction log holds: every prediction as a column, and each case as it counts."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.drift.log_columns import UNSAID, Columns
from components.drift.log_files import LogFile
from components.drift.sample import UNLABELLED, Sample
from components.records.errors import SourceError

LISTED = 100  # of the lines that cannot be used, and of the models


@dataclass(frozen=True)
class Prediction:
    """One case as it was predicted last.

    Attributes:
      at: ISO 8601 in UTC.
      positive: None where the log does not say it.
      label: None where nobody said it yet.
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
    """

    files: tuple[LogFile, ...]
    predictions: int
    label_lines: int
    problems: tuple[str, ...]
    unusable: int
    unknown_keys: Mapping[str, int]
    columns: Columns
    told: Mapping[str, tuple[int, int]]  # by case: when its label was known, and the label

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
            for row, (said, hashed) in enumerate(lines)
            if (hashed == sha256 if hashed is not None else said == version)
        ]

    @property
    def models(self) -> Mapping[str, int]:
        """Lines by model as the log names it (`version 3`, its hash, both), the commonest."""
        counted = Counter(zip(self.columns.versions, self.columns.sha256s))
        return {_name(*model): count for model, count in counted.most_common(LISTED)}

    @property
    def unlinked_labels(self) -> int:
        """Labels of cases that nobody predicted in this log."""
        return len(self.told.keys() - set(self.columns.case_ids))

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
            at=_iso(columns.at_ms[row]),
            score=columns.scores[row],
            positive=None if positive == UNSAID else bool(positive),
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
        told = self.told.get(self.columns.case_ids[row])
        said, at = self.columns.labels[row], self.columns.at_ms[row]
        if told is None or (said != UNLABELLED and at > told[0]):
            return said
        return told[1]

    def _sample(self, rows: Any, operating_point: float | None) -> Sample:
        columns = self.columns
        scores = np.asarray(columns.scores)[rows]
        positive = np.asarray(columns.positive)[rows]
        unsaid = positive == UNSAID
        if unsaid.any() and operating_point is None:
            first = columns.case_ids[int(rows[int(np.argmax(unsaid))])]
            raise SourceError(
                f"{self.files[0].name}: {int(unsaid.sum())} predictions say no 'positive', "
                f"the first of case {first!r}, and the model's operating point is not known"
            )
        decided = scores >= (0.5 if operating_point is None else operating_point)
        return Sample(
            case_ids=np.array([columns.case_ids[row] for row in rows], dtype=np.object_),
            at=np.asarray(columns.at_ms)[rows].astype("datetime64[ms]"),
            scores=scores,
            positive=np.where(unsaid, decided, positive == 1),
            labels=np.array([self._label(row) for row in rows], dtype=np.int8),
            numbers=columns.numbers(rows),
            words=columns.words(rows),
        )


def _name(version: int | None, sha256: str | None) -> str:
    parts = [] if version is None else [f"version {version}"]
    return " ".join(parts if sha256 is None else [*parts, sha256[:12]])


def _iso(at_ms: int) -> str:
    return f"{np.datetime64(at_ms, 'ms')}Z"
