from tests.bench.figures import Setting
from tests.bench.store_measure import StoreTimes, measured_store, section

SETTING = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})


def test_growth_stands_as_the_largest_store_over_the_smallest() -> None:
    times = [StoreTimes(10, None, 0.002, 0.01), StoreTimes(1000, None, 0.003, 1.5)]
    text = section(times, SETTING)
    assert "| 1,000 | none here | 0.0030 | 1.5000 |" in text
    assert "| the last over the first |  | 1.5 x | 150.0 x |" in text


def test_every_way_is_asked_in_a_store_of_each_size() -> None:
    found = measured_store([1, 2], lambda text: None)
    assert [times.runs for times in found] == [1, 2]
    assert all(times.from_contexts > 0 and times.every_execution > 0 for times in found)
