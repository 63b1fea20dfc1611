"""The notice that tells a person of a drift."""

from pathlib import Path

from components.drift.findings import MOVED
from components.drift.page_words import feature, measure, moved_first, number, time_words
from components.notify.notice import Message
from components.records.text import spell
from pipeline.unattended.monitoring.breach import Breach
from pipeline.unattended.monitoring.report import Findings


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
