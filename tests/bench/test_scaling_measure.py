"""The section on training says every way once, and leaves out a device that is not there."""

import pytest

from tests.bench import scaling_measure
from tests.bench.figures import Setting
from tests.bench.scaling_measure import WAYS, Throughput, measured_scaling, section


def test_every_way_is_measured_and_gpus_only_where_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    answer = {"CPU": 10.0, "GPU": None}
    monkeypatch.setattr(scaling_measure, "_trained", lambda kind, *_: answer[kind])
    found = measured_scaling(8, 2, told.append)
    assert [(each.kind, each.way) for each in found] == [("CPU", way) for way in WAYS]
    assert "no GPU" in told[-1]
    answer["GPU"] = 90.0
    assert len(measured_scaling(8, 2, told.append)) == 2 * len(WAYS)


def test_the_section_has_a_row_for_each_figure() -> None:
    setting = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})
    page = section([Throughput("CPU", "XLA", 123.4)], setting)
    assert page.startswith("## Training\n") and "| CPU | XLA | 123 |" in page
