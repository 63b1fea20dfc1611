"""What a server wrote of its predictions, read back: schemas/prediction.json says how.

A log that cannot be read is never taken for one in which nothing moved: lines that cannot be used
are counted and listed, and more of them than tolerated are an error.
"""

from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson

from components.drift.log_columns import Columns
from components.drift.log_content import LISTED, Log, Prediction
from components.drift.log_files import LogReading, log_files
from components.drift.log_line import Line, milliseconds, read_line
from components.records.errors import SourceError

__all__ = ["Log", "Prediction", "prediction_line", "read_log"]

NAMED = 3
AHEAD = timedelta(days=1)  # how far a server's clock may be ahead of this one


def read_log(path: Path, *, tolerated: int, now: datetime | None = None) -> Log:
    """Reads a file, or the .jsonl and .jsonl.gz files of a folder.

    Args:
      tolerated: how many unusable lines are.
      now: what is dated later than a day after it is unusable; by default the present.

    Raises:
      SourceError: there is no log, it cannot be read, or more lines than tolerated are unusable.
    """
    latest_ms = _ms((now or datetime.now(timezone.utc)) + AHEAD)
    columns, told, unknown = Columns(), dict[str, tuple[int, int]](), Counter[str]()
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
            _tell(told, line)
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
        told=told,
    )


def prediction_line(case_id: str, *, at: str, score: float | None = None, **further: Any) -> bytes:
    """One line of a log, with its line feed: to be appended in one write.

    Args:
      case_id, at, score, further: by the keys of schemas/prediction.json; None is left out. Without
        a score the line tells a label that arrived later.

    Raises:
      SourceError: the schema forbids it, or does not know a key.
    """
    said = {"at": at, "case_id": case_id, "score": score, **further}
    said = {key: value for key, value in said.items() if value is not None}
    content = orjson.dumps(said) + b"\n"
    try:
        line = read_line(content, latest_ms=milliseconds(at))
    except ValueError as fault:
        raise SourceError(f"case {case_id!r}: {fault}") from None
    if line.unknown:
        raise SourceError(f"case {case_id!r}: unknown key '{min(line.unknown)}'")
    return content


def _tell(told: dict[str, tuple[int, int]], line: Line) -> None:
    """Keeps the label that was known last; of two at the same time the one written later."""
    before = told.get(line.case_id)
    if line.label is not None and (before is None or line.at_ms >= before[0]):
        told[line.case_id] = (line.at_ms, line.label)


def _too_many(path: Path, unusable: int, tolerated: int, problems: list[str]) -> str:
    first = "; ".join(problems[:NAMED])
    return (
        f"{path}: got {unusable:,} unusable {'line' if unusable == 1 else 'lines'}, tolerated "
        f"{tolerated:,}: {first}{'; ...' if unusable > NAMED else ''}; mend what writes the log, "
        "or raise monitoring.malformed_lines"
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
