"""The notice of a drift: what a person reads, and what makes two of them the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from components.drift.findings import MOVED, Drift, DriftReading
from components.notify.notice import Message
from components.release.serving import Champion
from pipeline.settings.sections import MonitoringConfig
from pipeline.unattended.monitoring.report import Breach, Findings, drift_message, moved_names
from pipeline.unattended.monitoring.served import MonitoringReference
from tests.components.drift.page_making import drift, number_shift
from tests.pipeline.unattended.monitoring.making import NOW

NASTY = "x\n\u202ey"
REPORT = Path("monitoring/1/report.html")


def message(found: Drift, *, sha256: str = "ab" * 32) -> Message:
    champion = Champion(3, Path("serving/pneumonia/3"), "cd" * 32, Path("runs/run-3/decision.json"))
    # A notice says of the reference only how many cases it has.
    sample, served = cast(Any, range(400)), cast(Any, None)
    reference = MonitoringReference("pneumonia", champion, sha256, sample, 0.5)
    findings = Findings(found, served, reference, {}, MonitoringConfig(), NOW)
    breach = Breach(moved_names(found), False, True, "A retraining is started.")
    return drift_message(findings, breach, REPORT)


def test_it_says_what_moved_how_far_where_and_what_follows() -> None:
    said = message(drift())
    assert said.subject == "drift: pneumonia version 3: device, sensitivity, sharpness"
    assert said.lines[0].startswith("A new device appeared")
    assert said.lines[1].startswith("1,200 cases from 2026-01-01 00:00 UTC to 2026-01-07 23:59 UTC")
    assert said.lines[2] == "sharpness: Jensen-Shannon 0.410, limit 0.150; sharpness words"
    assert said.lines[3].startswith("device: L-infinity 0.610, limit 0.250; Cirrus was")
    assert said.lines[4] == "sensitivity: outside its control limits"
    assert said.lines[5:] == ("A retraining is started.", f"Report: {REPORT}")
    assert len(said.lines) == 7 and said.facts["retraining"] is True


def test_the_same_breach_of_a_day_is_the_same_notice() -> None:
    first = message(drift())
    assert message(replace(drift(), last="2026-01-07T00:00:00Z", cases=3)).key == first.key
    others = [
        message(drift(), sha256="ef" * 32),
        message(replace(drift(), last="2026-01-08T00:00:00Z")),
        message(replace(drift(), charts=())),
    ]
    assert len({first.key, *(other.key for other in others)}) == 4


def test_nothing_of_the_log_breaks_or_turns_a_line() -> None:
    shift = replace(number_shift(f"mean in device={NASTY}", MOVED), words=NASTY)
    said = message(
        replace(drift(), shifts=(shift,), reading=DriftReading("mixed", (NASTY,), NASTY))
    )
    assert all(text.isprintable() for text in (said.subject, *said.lines))
