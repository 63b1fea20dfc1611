from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.bench.figures import Setting
from tests.bench.growth_measure import COMPONENTS, Growth, Peak, Spread, draw, section

SETTING = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})
GROWTH = Growth(
    1000,
    tuple(Spread(n, dict.fromkeys(COMPONENTS, float(s))) for n, s in ((0, 4), (1, 10), (2, 5))),
    (Peak(10_000, 1000.0, 30.0), Peak(100_000, 1500.0, 100.0), Peak(110_000, 1100.0, 1.0)),
)


def test_rates_are_cases_over_seconds_and_two_workers_are_held_against_one() -> None:
    text = section(GROWTH, SETTING)
    assert text.startswith("## Growth\n")
    assert "| Evaluator | 250 | 100 | 200 | 2.00 x |" in text


def test_memory_grows_by_bytes_a_case_over_the_least() -> None:
    text = section(GROWTH, SETTING)
    assert "| 10,000 | 1,000 | 1.00 x |  | 30 |" in text
    assert "| 110,000 | 1,100 | 1.10 x | 1,049 | 1 |" in text


def test_memory_above_one_and_a_half_misses_the_target() -> None:
    assert "at most 1.5: **met**" in section(GROWTH, SETTING)
    peaks = (GROWTH.peaks[0], replace(GROWTH.peaks[1], mib=1501.0))
    assert "at most 1.5: **missed**" in section(replace(GROWTH, peaks=peaks), SETTING)


def test_the_case_set_is_as_large_as_the_training_data(tmp_path: Path) -> None:
    draw(tmp_path / "grown.npz", 200)
    with np.load(tmp_path / "grown.npz") as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
        assert set(arrays["test_labels"].ravel()) == {0, 1}
    assert shapes["train_images"] == shapes["test_images"] == (200, 64, 64)
    assert shapes["val_images"][0] == 100 and shapes["train_labels"] == (200, 1)
