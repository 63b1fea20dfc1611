import os
import random
import re
import shutil
import subprocess
from datetime import datetime

import pytest

from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.systemd import on_calendar
from tests.pipeline.unattended.scheduling.making import at

START = at("2026-02-27 12:00")
TIMES = 6
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: install systemd"
)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("0 3 * * 1", ["Mon *-*-* 03:00:00 UTC"]),
        ("* * * * *", ["*-*-* *:*:00 UTC"]),
        ("5,35 */12 * * 0,7", ["Sun *-*-* 00,12:05,35:00 UTC"]),
        ("0 3 1 1,7 *", ["*-01,07-01 03:00:00 UTC"]),
        ("0 3 1 * FRI", ["*-*-01 03:00:00 UTC", "Fri *-*-* 03:00:00 UTC"]),
        ("0 3 */10 * FRI", ["Fri *-*-01,11,21,31 03:00:00 UTC"]),
        ("0 3 1 * 0-6", ["*-*-* 03:00:00 UTC"]),
        ("0 3 1-31 * FRI", ["*-*-* 03:00:00 UTC"]),
    ],
)
def test_a_schedule_in_systemds_words(expression: str, values: list[str]) -> None:
    assert on_calendar(Cron.parse(expression)) == values


def elapses(values: list[str]) -> list[list[datetime]]:
    """When systemd itself says each comes."""
    command = ["systemd-analyze", "calendar", f"--iterations={TIMES}"]
    command += [f"--base-time={START:%Y-%m-%d %H:%M:%S} UTC", *values]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout
    found = re.findall(r"(Next elapse|#\d+): \w{3} (\S+ \S+) UTC", said)
    times: list[list[datetime]] = []
    for what, when in found:
        if what == "Next elapse":
            times.append([])
        times[-1].append(at(when))
    assert len(times) == len(values)
    return times


def some_field(chance: random.Random, low: int, high: int) -> str:
    first, second = sorted(chance.sample(range(low, high + 1), 2))
    return chance.choice(
        ["*", "*", f"*/{chance.randint(2, 9)}", f"{first}", f"{first}-{second}"]
        + [f"{second},{first}", f"{first}-{second}/{chance.randint(2, 4)}", f"{first}/7"]
    )


@needs_systemd
def test_systemd_reads_them_as_cron_does() -> None:
    chance = random.Random(20)
    expressions = ["0 3 * * 1", "59 23 31 12 *", "0 0 29 2 *", "0 4 1-7 * 6", "*/7 * 13 * FRI"]
    while len(expressions) < 150:
        bounds = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 7))
        expressions.append(" ".join(some_field(chance, *each) for each in bounds))
    crons = [Cron.parse(expression) for expression in expressions]
    values = [on_calendar(cron) for cron in crons]
    told = iter(elapses([value for each in values for value in each]))
    for cron, each in zip(crons, values):
        together = sorted({time for _ in each for time in next(told)})[:TIMES]
        slots = [cron.after(START)]
        while len(slots) < TIMES:
            slots.append(cron.after(slots[-1]))
        assert together == slots, cron.expression
