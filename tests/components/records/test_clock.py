"""One clock for every record: UTC, to the millisecond, and still where a test stops it."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from components.records import clock
from components.records.clock import parse_time, parse_zoned, time_id, time_text, utc_now

NOON = datetime(2026, 1, 31, 12, 0, 0, 123999, tzinfo=timezone.utc)


def test_time_is_utc_to_the_millisecond() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", utc_now())
    assert time_text(NOON.astimezone(timezone(timedelta(hours=9)))) == "2026-01-31T12:00:00.123Z"


def test_a_clock_that_is_stopped_stands_still_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "system_time", lambda: NOON)
    assert clock.current_time() == NOON
    assert (utc_now(), time_id()) == ("2026-01-31T12:00:00.123Z", "20260131T120000.123999Z")


def test_run_ids_sort_by_time() -> None:
    ids = [time_id() for _ in range(3)]
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z", run_id) for run_id in ids)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("12:00:00Z", 0), ("12:00:00.1z", 100_000), ("14:00:00.1239999+02:00", 123_999)],
)
def test_times_of_any_resolution_are_read(text: str, microseconds: int) -> None:
    wanted = NOON.replace(microsecond=microseconds)
    assert parse_time(f"2026-01-31T{text}") == wanted


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse_time("2026-01-31") == NOON.replace(hour=0, microsecond=0)
    assert parse_zoned("2026-01-31T12:00").tzinfo is None
    with pytest.raises(ValueError, match="day is out of range"):
        parse_time("2026-02-31T12:00:00Z")


def test_nothing_else_asks_the_system_for_the_time() -> None:
    root = Path(clock.__file__).resolve().parents[2]
    sources = [p for room in ("components", "pipeline") for p in (root / room).rglob("*.py")]
    asking = re.compile(r"datetime\.(now|utcnow|today)\(|date\.today\(|\btime\.(time|gmtime)\(")
    assert [p.name for p in sources if asking.search(p.read_text("utf-8"))] == ["clock.py"]
