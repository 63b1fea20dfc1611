from dataclasses import replace

import pytest

from tests.bench.figures import Setting
from tests.bench.serving_measure import ServingFigure, ServingFigures, measured_serving, section

SETTING = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})
SIZE = ServingFigure(1024, 100.0, {1: 70.0, 8: 75.0, 32: 80.0}, 10.0, 30.0)
FOUND = ServingFigures((SIZE,), 100_000, 400.0, 420.0, 100, 50_000, 0)


def test_the_best_of_what_is_served_is_held_against_the_loop() -> None:
    line = "| 1024 | 100 | 70 (0.70 x) | 75 (0.75 x) | 80 (0.80 x) | **met** |"
    assert line in section(FOUND, SETTING)
    slower = replace(FOUND, sizes=(replace(SIZE, served={1: 70.0, 8: 75.0, 32: 79.0}),))
    assert "79 (0.79 x) | **missed** |" in section(slower, SETTING)


def test_an_answer_may_take_three_calls() -> None:
    assert "| 1024 | 10.0 | 30.0 | 3.0 x | **met** |" in section(FOUND, SETTING)
    slower = replace(FOUND, sizes=(replace(SIZE, half_ms=31.0),))
    assert "3.1 x | **missed** |" in section(slower, SETTING)


def test_memory_may_not_grow_and_no_request_may_fail() -> None:
    assert "1.05 x, wanted at most 1.05: **met**" in section(FOUND, SETTING)
    assert "1.05: **missed**" in section(replace(FOUND, after_mib=425.0), SETTING)
    assert "failed 0, wanted none: **met**" in section(FOUND, SETTING)
    assert "failed 1, wanted none: **missed**" in section(replace(FOUND, failed=1), SETTING)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_everything_is_measured() -> None:
    found = measured_serving(((64, 64),), 100, 1, lambda text: None)
    assert min(found.sizes[0].served.values()) > 0 and found.sizes[0].half_ms > 0
    assert (found.swaps, found.failed) == (1, 0) and found.asked > 0
    assert found.before_mib > 100
