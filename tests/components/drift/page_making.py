"""Findings as a comparison would make them, written by hand."""

import math
from typing import Any

from components.drift.findings import (
    MOVED,
    NOT_ENOUGH,
    STEADY,
    Chart,
    ChartPoint,
    Drift,
    DriftReading,
    Histogram,
    ObservedRate,
    Shift,
)

NASTY = "<script>alert('x')</script>\"&\u202e"


def bell(
    middle: float, *, bins: int = 20, low: float = 0.0, high: float = 1.0
) -> tuple[float, ...]:
    places = [low + (i + 0.5) * (high - low) / bins for i in range(bins)]
    heights = [math.exp(-(((place - middle) / 0.12) ** 2)) for place in places]
    return tuple(height / sum(heights) for height in heights)


def number_shift(name: str, state: str = STEADY, *, value: float | None = 0.02) -> Shift:
    edges = tuple(i / 20 for i in range(21))
    return Shift(
        name=name,
        kind="score" if name == "score" else "quality",
        measure="jensen_shannon",
        value=value,
        limit=0.15,
        p_value=None if value is None else 0.00001 if state == MOVED else 0.4,
        state=state,
        reference_cases=400,
        current_cases=1200,
        words=f"{name} words",
        histogram=Histogram(
            tuple(f"{a:g} to {b:g}" for a, b in zip(edges, edges[1:])),
            edges,
            bell(0.5),
            bell(0.75 if state == MOVED else 0.52),
        ),
    )


def word_shift(
    name: str, state: str = STEADY, *, values: tuple[str, ...] = ("Aster", "Boreal", "Cirrus")
) -> Shift:
    then = tuple(1 / len(values) for _ in values)
    moved = (0.1,) + tuple(0.9 / (len(values) - 1) for _ in values[1:])
    return Shift(
        name=name,
        kind="attribute",
        measure="l_infinity",
        value=0.61 if state == MOVED else 0.03,
        limit=0.25,
        p_value=0.0001 if state == MOVED else 0.6,
        state=state,
        reference_cases=400,
        current_cases=1200,
        words=f"{values[-1]} was 33 %, is 57 %" if state == MOVED else "as before",
        histogram=Histogram(values, None, then, moved if state == MOVED else then),
    )


def rate_shift(state: str = STEADY) -> Shift:
    return Shift(
        "positive_rate", "rate", "difference", -0.02, 0.1, 0.3, state, 400, 1200, "as before"
    )


def chart(name: str, *, periods: int = 8, signal: bool = True) -> Chart:
    points = []
    for i in range(periods):
        estimate = 0.7 if signal and i == periods - 1 else 0.93 + 0.01 * (i % 3)
        state = "signal" if estimate < 0.8 else NOT_ENOUGH if i == 2 else "in control"
        few = state == NOT_ENOUGH
        points.append(
            ChartPoint(
                f"2026-{1 + i // 4:02d}-{1 + 7 * (i % 4):02d}",
                round(100 * estimate),
                100,
                estimate,
                None if few else 0.86,
                None if few else 0.99,
                state,
            )
        )
    source = "A p-chart with exact binomial limits (Shewhart 1931)."
    return Chart(name, 0.94, tuple(points), source, signal)


def drift(state: str = MOVED, *, charts: bool = True) -> Drift:
    moved = MOVED if state == MOVED else STEADY
    words = {
        MOVED: "A new device appeared: device moved and the images of it are brighter.",
        STEADY: "Nothing moved.",
        NOT_ENOUGH: "12 cases are fewer than the 200 that a comparison needs.",
    }
    shifts: tuple[Shift, ...] = (
        number_shift("mean"),
        number_shift("sharpness", moved, value=0.41 if moved == MOVED else 0.01),
        number_shift("score"),
        word_shift("site"),
        word_shift("device", moved),
        rate_shift(),
    )
    return Drift(
        state=state,
        cases=1200,
        labelled=300,
        first="2026-01-01T00:00:00.000Z",
        last="2026-01-07T23:59:00.000Z",
        alpha=0.01,
        shifts=shifts,
        rates=(
            ObservedRate("reference_positive_rate", 180, 400, 0.45, 0.4, 0.5),
            ObservedRate("positive_rate", 516, 1200, 0.43, 0.402, 0.458),
            ObservedRate("sensitivity", 0, 0, None, None, None),
        ),
        charts=(chart("sensitivity"), chart("specificity", signal=False)) if charts else (),
        reading=DriftReading("new_source", ("device=Cirrus",), words[state]),
    )


def record(*, problems: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """What report.json says beside the comparison."""
    notes = ("1,200 predictions in 1 file",)
    log = {"path": "predictions.jsonl", "sha256": "ab" * 32}
    return {
        "created": "2026-01-08T00:00:00.000Z",
        "model": {"name": "pneumonia", "version": 3, "sha256": "cd" * 32},
        "reference": {"run_id": "run-3", "cases": 400, "sha256": "ef" * 32},
        "log": {**log, "warnings": warnings, "notes": notes, "problems": problems},
        "schema_sha256": "01" * 32,
        "retraining": {"words": "No retraining is started: monitoring.retrain is off."},
    }
