from datetime import datetime, timezone

import pytest

from components.records.errors import ConfigError
from pipeline.evidence.moment import AFTER, BEFORE, SAME, later, moment, parse_asked
from tests.refusing import refused


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", BEFORE),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.999Z", SAME),
        ("2026-01-01T00:00:01.000Z", "2026-01-01T00:00:00Z", AFTER),
        ("2026-01-01", "2026-01-01T23:59:59.999Z", SAME),
        ("2026-01-01", "2026-01-02T00:00:00Z", BEFORE),
        ("2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00.002Z", BEFORE),
    ],
)
def test_times_are_in_order_only_as_far_as_they_are_exact(
    first: str, second: str, order: str
) -> None:
    assert moment(first).against(moment(second)) == order


def test_an_end_is_as_exact_as_start_and_duration_together() -> None:
    end = later(moment("2026-01-01T00:00:00.000Z"), 1.5)
    assert end.text == "2026-01-01T00:00:01.500Z"
    assert end.against(moment("2026-01-01T00:00:01.501Z")) == SAME
    assert end.against(moment("2026-01-01T00:00:01.502Z")) == BEFORE


def test_a_zone_is_honoured_and_a_missing_one_is_said() -> None:
    nine = datetime(2026, 3, 31, 9, tzinfo=timezone.utc)
    assert parse_asked("2026-03-31T11:00:00+02:00", option="--at") == (nine, [])
    instant, (remark,) = parse_asked("2026-03-31T09:00", option="--at")
    assert instant == nine and remark is not None and "taken as UTC" in remark


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "2026-03-31T25:00",
        "2026-03-31+02:00",
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_is_no_time_is_one_line(text: str) -> None:
    with refused(ConfigError, "--at: got "):
        parse_asked(text, option="--at")
