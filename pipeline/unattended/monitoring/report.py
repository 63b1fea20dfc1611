"""What a monitoring found, as a person gets it: report.json, the record, a page, and a notice."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components.drift.findings import MOVED, Drift
from components.drift.limits import Limit
from components.drift.page import PageContext, drift_page
from components.drift.page_words import feature, measure, moved_first, number, time_words
from components.notify.notice import Message
from components.records.clock import time_text
from components.records.errors import ConfigError
from components.records.files import canonical_json, sha256_file, write_atomically
from components.records.text import spell
from pipeline.settings.config import MonitoringConfig
from pipeline.unattended.monitoring.breach import Breach
from pipeline.unattended.monitoring.served import MonitoringReference, ServedWindow

JSON, PAGE = "report.json", "report.html"
NOTHING_FOLLOWS = "Nothing follows: no retraining is started where nothing moved."


@dataclass(frozen=True, eq=False)
class Findings:
    """One look: what was compared, how, and what came of it.

    Attributes:
      schema: the file that the limits stand in.
    """

    drift: Drift
    served: ServedWindow
    reference: MonitoringReference
    limits: Mapping[str, Limit]
    schema: Path
    settings: MonitoringConfig
    created: datetime


def document(findings: Findings, breach: Breach | None, *, name: str) -> dict[str, Any]:
    """The record, as JSON values; `name` is that of its folder."""
    reference, settings = findings.reference, findings.settings
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
        "log": _log(findings.served),
        "settings": {
            "alpha": settings.alpha,
            "min_cases": settings.min_cases,
            "window_days": settings.window_days,
            "malformed_lines": settings.malformed_lines,
        },
        "limits": {name: dataclasses.asdict(limit) for name, limit in findings.limits.items()},
        "schema_sha256": sha256_file(findings.schema),
        "moved": list(breach.moved) if breach else [],
        "retraining": {
            "starts": breach.retrain if breach else False,
            "words": breach.words if breach else NOTHING_FOLLOWS,
        },
    }


def _log(served: ServedWindow) -> dict[str, Any]:
    log = served.log
    return {
        "path": str(served.path),
        "sha256": log.sha256,
        "files": [dataclasses.asdict(file) for file in log.files],
        "predictions": log.predictions,
        "label_lines": log.label_lines,
        "models": dict(log.models),
        "unusable": log.unusable,
        "problems": list(log.problems),
        "unknown_keys": dict(log.unknown_keys),
        "warnings": list(served.warnings),
        "notes": list(served.notes),
    }


def write_report(folder: Path, findings: Findings, breach: Breach | None) -> dict[str, Any]:
    """Writes both files; the record last, so that where it stands the page does too.

    Returns:
      The record.

    Raises:
      ConfigError: they cannot be written.
    """
    found = document(findings, breach, name=folder.name)
    page = drift_page(findings.drift, _context(findings, found))
    try:
        write_atomically(folder / PAGE, page.encode())
        write_atomically(folder / JSON, canonical_json(found))
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}; make room") from None
    return found


def _context(findings: Findings, found: Mapping[str, Any]) -> PageContext:
    drift, served, reference = findings.drift, findings.served, findings.reference
    window = f"{time_words(drift.first)} to {time_words(drift.last)}"
    return PageContext(
        model=f"{reference.model}, version {reference.champion.version}",
        facts={
            "window": window if drift.cases else "no case",
            "cases served in it": f"{drift.cases:,}, of which {drift.labelled:,} with a label",
            "compared with": f"{len(reference.sample):,} tuning cases of run {reference.run_id}",
            "made": time_words(found["created"]),
        },
        consequence=found["retraining"]["words"],
        warnings=served.warnings,
        notes=served.notes,
        problems=served.log.problems,
        record={
            "log": str(served.path),
            "log, SHA-256": served.log.sha256,
            "reference, SHA-256": reference.sha256,
            "model, SHA-256": reference.champion.sha256,
            "limits, SHA-256": found["schema_sha256"],
        },
    )


def drift_message(findings: Findings, breach: Breach, report: Path) -> Message:
    """What moved, how far, what it points to, and what follows.

    Its key is the same for the same model, features and day, so that it is sent once.
    """
    drift, reference = findings.drift, findings.reference
    version = reference.champion.version
    moved = ", ".join(spell(feature(name)) for name in breach.moved)
    lines = [
        spell(drift.reading.words),
        f"{drift.cases:,} cases from {time_words(drift.first)} to {time_words(drift.last)}, "
        f"compared with {len(reference.sample):,} of run {reference.run_id}.",
    ]
    lines += [
        f"{spell(feature(shift.name))}: {measure(shift.measure)} {number(shift.value)}, limit "
        f"{number(shift.limit)}; {spell(shift.words)}"
        for shift in moved_first(drift.shifts)
        if shift.state == MOVED
    ]
    lines += [f"{chart.name}: outside its control limits" for chart in drift.charts if chart.signal]
    lines += [breach.words, f"Report: {report}"]
    day = (drift.last or "")[:10]
    return Message(
        kind="drift",
        subject=f"drift: {reference.model} version {version}: {moved}",
        lines=tuple(lines),
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
