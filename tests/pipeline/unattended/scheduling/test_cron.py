from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.cron import Cron
from tests.pipeline.unattended.scheduling.making import at
from tests.refusing import refused

EXPRESSIONS = (
    "0 3 * * 1",
    "* * * * *",
    "*/7 5-8 * * *",
    "30 23 1,15 * *",
    "0 0 29 2 *",
    "15 12 10 jan,JUL mon-fri",
    "0 4 1-7 * SAT",
    "0 4 */2 * 1",
)
MOMENTS = st.datetimes(
    min_value=datetime(2001, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(timezone.utc)
)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 3 * *",
        "0 3 * * 1 2026",
        "0 0 3 * * 1",
        "@weekly",
        "60 3 * * 1",
        "0 24 * * 1",
        "0 3 0 * 1",
        "0 3 * 13 1",
        "0 3 * * 8",
        "0 3 * * FRY",
        "*/0 3 * * 1",
        "5-1 3 * * 1",
        "-1 3 * * 1",
        "0 3 L * *",
        "0 3 LW * *",
        "0 3 * * 5L",
        "0 3 * * 5#2",
        "0 3 31 2 *",
        "0 3 30,31 2 *",
        "1,,2 3 * * *",
        "\u0663 3 * * 1",
        "0," * 200 + "0 3 * * 1",
    ],
)
def test_what_is_no_schedule_is_refused_in_one_line(expression: str) -> None:
    with refused(ConfigError, "schedule.cron: got "):
        Cron.parse(expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_usual_expressions_are_taken(expression: str) -> None:
    Cron.parse(expression)


def test_a_slot_follows_the_one_before_it() -> None:
    weekly = Cron.parse("0 3 * * 1")
    assert weekly.after(at("2026-11-28 12:00")) == at("2026-11-30 03:00")
    assert weekly.after(at("2026-11-30 03:00")) == at("2026-12-07 03:00")
    assert weekly.until(at("2026-11-30 03:00")) == at("2026-11-30 03:00")
    assert weekly.until(at("2026-11-30 02:59:59.999999")) == at("2026-11-23 03:00")


def test_times_of_another_zone_are_the_same_times() -> None:
    ahead = timezone(timedelta(hours=5, minutes=45))
    moment = at("2026-11-30 02:59").astimezone(ahead)
    assert Cron.parse("0 3 * * 1").after(moment) == at("2026-11-30 03:00")


@given(moment=MOMENTS, expression=st.sampled_from(EXPRESSIONS))
def test_forward_and_back_meet(moment: datetime, expression: str) -> None:
    cron = Cron.parse(expression)
    next_slot, last_slot = cron.after(moment), cron.until(moment)
    assert last_slot <= moment < next_slot
    assert cron.after(last_slot) == next_slot
    assert cron.until(next_slot - timedelta(microseconds=1)) == last_slot
    assert cron.until(next_slot) == next_slot
