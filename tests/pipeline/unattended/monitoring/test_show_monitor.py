"""The text of a monitoring: as wide as there is room, and never markup."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from components.drift.findings import NOT_ENOUGH, STEADY, Drift, DriftReading
from pipeline.unattended.monitoring.monitor import Monitored
from pipeline.unattended.monitoring.show_monitor import as_text, show_monitored
from tests.components.drift.page_making import drift, word_shift


def monitored(found: Drift, *, warnings: tuple[str, ...] = ()) -> Monitored:
    record: dict[str, Any] = {
        "model": {"name": "pneumonia", "version": 3},
        "reference": {"cases": 400, "run_id": "run-3"},
        "log": {"warnings": list(warnings), "notes": ["1 note"], "problems": ["a:3: not JSON"]},
        "retraining": {"words": "A retraining is started."},
    }
    return Monitored(found, Path("monitoring/1/report.html"), False, "", record)


def shown(found: Drift, width: int) -> str:
    page = io.StringIO()
    show_monitored(Console(file=page, width=width), monitored(found))
    return page.getvalue()


def test_state_reading_window_and_consequence_are_said() -> None:
    text = as_text(monitored(drift()))
    assert text.startswith("MOVED  A new device appeared: device moved")
    assert (
        "1,200 cases served by pneumonia version 3, 2026-01-01 00:00 UTC to 2026-01-07 23:59"
        in (" ".join(text.split()))
    )
    assert "A retraining is started.\nreport  monitoring/1/report.html\n" in text
    assert "note: 1 note" in text and "not used: a:3: not JSON" in text


def test_one_line_per_shift_moved_first() -> None:
    lines = as_text(monitored(drift())).splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith(("moved ", "steady "))]
    assert rows[:2] == [["moved", "sharpness"], ["moved", "device"]] and len(rows) == 6
    figures = next(line for line in lines if line.split()[:2] == ["moved", "device"])
    assert figures.split()[2:8] == ["L-infinity", "0.610", "0.250", "0.0001", "400", "1,200"]


def test_rates_and_charts_have_a_line_each() -> None:
    text = as_text(monitored(drift())).replace("\u00a0", " ")
    own = "own 45 % (40.0 to 50.0 %, 400 cases)"
    assert f"positive rate: 43 % (40.2 to 45.8 %, 1,200 cases); {own}" in text
    assert "sensitivity: outside its control limits (2026-02-22)" in text
    assert "specificity: in control in 8 periods" in text


def test_nothing_follows_is_not_said_where_nothing_moved() -> None:
    for state in (STEADY, NOT_ENOUGH):
        text = as_text(monitored(drift(state)))
        assert text.startswith(state.upper()) and "retraining" not in text


def test_warnings_stand_before_the_table() -> None:
    text = as_text(monitored(drift(), warnings=("it is old",)))
    assert text.index("warning: it is old") < text.index("state ")


def test_a_narrow_terminal_shows_what_decides() -> None:
    text = shown(drift(), 60)
    assert "0.410" in text and "0.150" in text and "Jensen-Shannon" not in text
    assert max(map(len, text.splitlines())) <= 60


def test_text_of_the_log_is_no_markup_and_turns_no_line() -> None:
    nasty = "[red]x[/red]\n\u202ey"
    shift = replace(word_shift("device"), name=nasty, words=nasty)
    found = replace(drift(), shifts=(shift,), reading=DriftReading("mixed", (), nasty))
    text = as_text(monitored(found, warnings=(nasty,)))
    assert text.count("[red]x[/red]") == 4 and "\u202e" not in text


def test_no_colour_codes_where_no_terminal_is() -> None:
    assert "\x1b" not in as_text(monitored(drift()))
    assert "\x1b" in as_text(monitored(drift()), terminal=True)
