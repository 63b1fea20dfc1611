"""What follows where something moved: a ledger entry, a notice, and perhaps a retraining.

The same breach is seen by every run until it ends; it is told and recorded once a day, and starts
one retraining per cool-down.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from components.drift.findings import MOVED, Drift
from components.records.clock import parse_time
from components.records.ledger.entry import Entry
from pipeline.settings.config import MonitoringConfig

KIND = "drift"
SKEW = timedelta(days=1)  # an entry further in the future was written by a wrong clock


@dataclass(frozen=True)
class Breach:
    """Attributes:
    moved: names of what moved, ascending.
    known: whether the ledger has it already.
    retrain: whether a retraining starts.
    words: what follows, in one sentence.
    """

    moved: tuple[str, ...]
    known: bool
    retrain: bool
    words: str


def moved_names(drift: Drift) -> tuple[str, ...]:
    """Features, scores, rates and charts that moved, ascending."""
    shifts = {shift.name for shift in drift.shifts if shift.state == MOVED}
    return tuple(sorted(shifts | {chart.name for chart in drift.charts if chart.signal}))


def weigh(
    drift: Drift,
    entries: Sequence[Entry],
    config: MonitoringConfig,
    *,
    reference_sha256: str,
    root: Path,
    now: datetime,
) -> Breach:
    """What follows from a comparison in which something moved.

    Args:
      entries: of the ledger.
      root: the workspace, which the reports that the ledger names lie in.
    """
    moved = moved_names(drift)
    before = [entry for entry in entries if entry.kind == KIND]
    retrain, words = _retraining(before, config, now)
    same = [entry.body for entry in before if _is_same(entry, drift, reference_sha256, root)]
    # What lies near its limit comes and goes from look to look: only what is new is news.
    seen = {name for body in same for name in body["moved"]}
    started = any(body["retraining"] for body in same)
    known = bool(same) and seen.issuperset(moved) and (started or not retrain)
    return Breach(moved, known, retrain, words)


def _retraining(
    before: Iterable[Entry], config: MonitoringConfig, now: datetime
) -> tuple[bool, str]:
    if not config.retrain:
        return False, "No retraining is started: monitoring.retrain is off."
    cooldown = timedelta(days=config.cooldown_days)
    started = [parse_time(entry.at) for entry in before if entry.body["retraining"]]
    recent = [at for at in started if -SKEW <= now - at < cooldown]
    if not recent:
        return True, "A retraining is started."
    until = f"{max(recent) + cooldown:%Y-%m-%d %H:%M} UTC"
    return False, f"No retraining is started: the last drift started one, wait until {until}."


def _is_same(entry: Entry, drift: Drift, reference_sha256: str, root: Path) -> bool:
    """Whether the entry is of the same model and of a window that ends on the same day."""
    if entry.body["last"][:10] != (drift.last or "")[:10]:
        return False
    try:
        report = orjson.loads((root / entry.body["report"]).read_bytes())
        return bool(report["reference"]["sha256"] == reference_sha256)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # rather told twice than not at all
