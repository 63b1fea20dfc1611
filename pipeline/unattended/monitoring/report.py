"""What a monitoring found, as a person gets it: report.json, the record, a page, and a notice.

The same breach is seen by every run until it ends; it is told and recorded once a day, and starts
one retraining per cool-down.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from components.drift import page_words
from components.drift.divergence import Limit
from components.drift.findings import MOVED, Drift
from components.drift.page import drift_page
from components.notify.notice import Message
from components.pages.page import text_of
from components.records.clock import parse_time, time_text
from components.records.files import canonical_json, sha256_file, write_atomically, writing_to
from components.records.ledger.ledger import Entry
from components.records.text import spell
from pipeline.settings.config import REPOSITORY
from pipeline.settings.sections import MonitoringConfig
from pipeline.unattended.monitoring.served import CALLS, MonitoringReference, ServedWindow

KIND = "drift"
SCHEMA = REPOSITORY / "schemas" / "features.pbtxt"  # where the limits stand
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


NO_BREACH = Breach(
    (), True, False, "Nothing follows: no retraining is started where nothing moved."
)


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
      root: the workspace, which the reports that the ledger names lie in.
    """
    moved = moved_names(drift)
    before = [entry for entry in entries if entry.kind == KIND]
    retrain, words = _retraining(before, config, now)
    if CALLS in moved:
        retrain, words = False, "No retraining is started: first mend what the server calls."
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


JSON, PAGE = "report.json", "report.html"
_OF_LOG = ("predictions", "label_lines", "models", "unusable", "problems", "unknown_keys")
_SETTINGS = ("alpha", "min_cases", "window_days", "malformed_lines")


@dataclass(frozen=True, eq=False)
class Findings:
    """One look: what was compared, how, and what came of it."""

    drift: Drift
    served: ServedWindow
    reference: MonitoringReference
    limits: Mapping[str, Limit]
    settings: MonitoringConfig
    created: datetime


def document(findings: Findings, breach: Breach, *, name: str) -> dict[str, Any]:
    """The record, as JSON values; `name` is that of its folder."""
    reference, settings, served = findings.reference, findings.settings, findings.served
    log = served.log
    return {
        "schema_version": 1,
        "id": name,
        "created": time_text(findings.created),
        "state": findings.drift.state,
        "drift": dataclasses.asdict(findings.drift),
        "model": {
            "name": reference.model,
            "version": reference.champion.version,
            "sha256": reference.champion.sha256,
            "operating_point": reference.operating_point,
        },
        "reference": {
            "run_id": reference.run_id,
            "sha256": reference.sha256,
            "cases": len(reference.sample),
        },
        "log": {
            "path": str(served.path),
            "sha256": log.sha256,
            "files": [dataclasses.asdict(file) for file in log.files],
            **{name: getattr(log, name) for name in _OF_LOG},
            "warnings": served.warnings,
            "notes": served.notes,
        },
        "settings": {name: getattr(settings, name) for name in _SETTINGS},
        "limits": {name: dataclasses.asdict(limit) for name, limit in findings.limits.items()},
        "schema_sha256": sha256_file(SCHEMA),
        "moved": list(breach.moved),
        "retraining": {"starts": breach.retrain, "words": breach.words},
    }


def write_report(folder: Path, findings: Findings, breach: Breach) -> dict[str, Any]:
    """Writes both files; the record last, so that where it stands the page does too.

    Returns:
      The record.

    Raises:
      ConfigError: they cannot be written.
    """
    found = document(findings, breach, name=folder.name)
    page = drift_page(findings.drift, found)
    with writing_to(folder, "; make room"):
        write_atomically(folder / PAGE, page.encode())
        write_atomically(folder / JSON, canonical_json(found))
    return found


def drift_message(findings: Findings, breach: Breach, report: Path) -> Message:
    """What moved, how far, what it points to, and what follows.

    Its key is the same for the same model, features and day, so that it is sent once.
    """
    drift, reference = findings.drift, findings.reference
    version = reference.champion.version
    text = text_of(
        Path(__file__).with_name("notice.txt.j2"),
        drift=drift,
        moved=[shift for shift in page_words.moved_first(drift.shifts) if shift.state == MOVED],
        own=len(reference.sample),
        run_id=reference.run_id,
        breach=breach,
        report=report,
        words=page_words,
    )
    named = ", ".join(spell(page_words.feature(name)) for name in breach.moved)
    day = (drift.last or "")[:10]
    return Message(
        kind="drift",
        subject=f"drift: {reference.model} version {version}: {named}",
        lines=tuple(text.split("\n")),
        key=f"drift {reference.sha256[:16]} {' '.join(breach.moved)} {day}",
        facts={
            "moved": list(breach.moved),
            "reading": drift.reading.kind,
            "where": list(drift.reading.where),
            "version": version,
            "run_id": reference.run_id,
            "cases": drift.cases,
            "first": drift.first,
            "last": drift.last,
            "retraining": breach.retrain,
            "report": str(report),
        },
    )
