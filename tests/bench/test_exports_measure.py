from dataclasses import replace

import pytest

from tests.bench.exports_measure import (
    QUICK_TRIALS,
    ExportFigure,
    measured_exports,
    section,
)
from tests.bench.figures import Setting

SETTING = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})
FLOAT = ExportFigure(
    "phantom", "tflite_float", "tflite", 100_000, 1000, 1000, 0.0, 0.95, 0.95, 0.2, 50.0
)
INT8 = replace(FLOAT, kind="tflite_int8", size_bytes=27_000, alike=995, auc=0.9451, call_ms=0.1)


def test_what_is_missed_is_named() -> None:
    assert "| 995 of 1000 | 0.0000 | none |" in section([FLOAT, INT8], SETTING)
    for changed, missed in (
        ({"size_bytes": 28_000}, "size 0.28"),
        ({"call_ms": 0.11}, "speed 1.8 x"),
        ({"alike": 994}, "alike"),
        ({"auc": 0.9449}, "AUC"),
        ({"runtime": "node_wasm", "alike": 997}, "alike"),
    ):
        assert f"| **{missed}** |" in section([FLOAT, replace(INT8, **changed)], SETTING)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_everything_is_measured() -> None:
    kinds = ("tflite_int8", "tflite_float")
    found = measured_exports(QUICK_TRIALS, kinds, lambda text: None)
    assert [one.kind for one in found] == list(kinds)
    for one in found:
        assert one.n > 100 and one.call_ms > 0 and one.memory_mib > 10 and one.model_auc > 0.5
