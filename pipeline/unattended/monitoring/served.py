"""What is compared: the data behind the released model, and what it predicted by a log."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from components.drift.causes import MIXED
from components.drift.findings import MOVED, Drift, DriftReading, Shift
from components.drift.log import Log, read_log
from components.drift.sample import Sample, load_reference
from components.pages.page import text_of
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.files import sha256_file
from components.records.run_files import REFERENCE
from components.release.serving import Champion, find_champion
from pipeline.settings.config import Config
from pipeline.settings.sections import MonitoringConfig
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class MonitoringReference:
    """Attributes:
    model: the folder's name under which the champion is served.
    operating_point: the score from which on the champion calls a case positive.
    """

    model: str
    champion: Champion
    sha256: str
    sample: Sample
    operating_point: float

    @property
    def run_id(self) -> str:
        return self.champion.decision.parent.name


def find_reference(config: Config, workspace: Workspace) -> MonitoringReference:
    """The champion's own cases.

    Raises:
      NothingEvaluated: nothing is released, or its run left no reference cases.
      IntegrityError: the champion or the reference is not what a run wrote.
    """
    serving = config.serving
    destination = workspace.destination(serving.model_name, serving.directory)
    champion = find_champion(destination, workspace.runs)
    if champion is None:
        raise NothingEvaluated(
            f"{destination}: nothing is released, so there is nothing to compare predictions with; "
            "release a model first, or name its folder with --set serving.model_name"
        )
    path = champion.decision.with_name(REFERENCE)
    if not path.is_file():
        raise NothingEvaluated(
            f"{path}: got no such file, wanted the cases behind version {champion.version}; "
            "its run was judged before casegate kept them: run the pipeline again"
        )
    return MonitoringReference(
        model=serving.model_name,
        champion=champion,
        sha256=sha256_file(path),
        sample=load_reference(path),
        operating_point=_operating_point(path),
    )


def _operating_point(path: Path) -> float:
    with np.load(path, allow_pickle=False) as archive:
        found = archive["operating_point"] if "operating_point" in archive.files else None
        if found is None or found.shape != () or not 0 <= float(found) <= 1:
            raise IntegrityError(
                f"{path}: got no operating point from 0 to 1; restore the file or run again"
            )
        return float(found)


CALLS = "calls"
MOST_CONTRADICTED = 0.01  # of the window's calls; the server's operating point is another one
NOTES = Path(__file__).with_name("notes.txt.j2")
CLOSE = 1e-4  # to the operating point: a log may have rounded the score


@dataclass(frozen=True, eq=False)
class ServedWindow:
    """Attributes:
    current: the last days up to the newest prediction.
    history: everything that the champion predicted, the window included.
    warnings: what a reader has to know first.
    """

    path: Path
    log: Log
    current: Sample
    history: Sample
    warnings: list[str]
    notes: list[str]


def read_served(
    path: Path, reference: MonitoringReference, config: MonitoringConfig, *, now: datetime
) -> ServedWindow:
    """Reads the log and keeps apart what the champion predicted.

    Raises:
      SourceError: the log cannot be read, or too much of it.
    """
    log = read_log(path, tolerated=config.malformed_lines, now=now)
    champion = reference.champion
    history = log.sample_of(
        champion.version, champion.sha256, operating_point=reference.operating_point
    )
    current = window(history, config.window_days)
    lines = len(log.rows_of(champion.version, champion.sha256))
    return ServedWindow(
        path=path.resolve(),
        log=log,
        current=current,
        history=history,
        warnings=_warnings(log, history, reference, config, now, lines),
        notes=text_of(
            NOTES, log=log, version=champion.version, lines=lines, used=len(history)
        ).split("\n"),
    )


def window(history: Sample, days: int) -> Sample:
    """The cases of the last `days` up to the newest, by the times in the log."""
    if not len(history):
        return history
    return history.where(history.at > history.at.max() - np.timedelta64(days, "D"))


def _contradicted(sample: Sample, point: float) -> int:
    """How many calls are not what the operating point makes of the score."""
    clear = np.abs(sample.scores - point) > CLOSE
    return int((clear & ((sample.scores >= point) != sample.positive)).sum())


def with_calls(drift: Drift, served: ServedWindow, point: float) -> Drift:
    """The comparison, moved where the window's calls are not the released model's.

    That is a fact, whatever the number of cases: scores may be steady while each call is inverted.
    """
    wrong, cases = _contradicted(served.current, point), len(served.current)
    if not cases or wrong / cases <= MOST_CONTRADICTED:
        return drift
    words = f"{wrong:,} of {cases:,} calls are not what the operating point {point:.4g} would make"
    figures = "difference", wrong / cases, MOST_CONTRADICTED, None
    shift = Shift(CALLS, "rate", *figures, MOVED, 0, cases, words)
    reading, points_to = drift.reading, f"Points to the server: {words} of the scores."
    if drift.state == MOVED:
        reading = replace(reading, kind=MIXED, words=f"{reading.words} {points_to}")
    else:
        reading = DriftReading(CALLS, (), points_to)
    return replace(drift, state=MOVED, shifts=(*drift.shifts, shift), reading=reading)


def _warnings(
    log: Log,
    history: Sample,
    reference: MonitoringReference,
    config: MonitoringConfig,
    now: datetime,
    lines: int,
) -> list[str]:
    version = reference.champion.version
    if not lines and log.predictions:
        models = ", ".join(f"{count:,} of {name}" for name, count in log.models.items())
        return [
            f"The log holds no prediction of version {version}, which is released now; it has "
            f"{models}."
        ]
    found = []
    if len(history):
        seconds = history.at.max().astype("datetime64[s]").astype(int).item()
        age = now - datetime.fromtimestamp(seconds, timezone.utc)
        if age > timedelta(days=config.window_days):
            found.append(
                f"The newest prediction is {age.days} days old: this says nothing of today. Does "
                "the server still write its log?"
            )
    if wrong := _contradicted(history, reference.operating_point):
        found.append(
            f"{wrong:,} of {len(history):,} cases were called otherwise than the operating point "
            f"{reference.operating_point:.4g} of version {version} would: does the server use it?"
        )
    return found
