"""A season, a new device and a broken one, in images as drawn: told apart by what moved."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from components.cases.images import inspect_image
from components.cases.sources import open_source
from components.drift.compare import compare
from components.drift.divergence import read_limits
from components.drift.findings import MOVED, STEADY, Drift
from components.drift.sample import Sample

SCHEMA = Path(__file__).parents[2] / "schemas" / "features.pbtxt"
SERVED = {
    "nothing": "phantom:n=400,seed=2",
    "population": "phantom:n=400,seed=3,season=winter",
    "new_source": "phantom:n=400,seed=4,vendor=0.4",
    "acquisition": "phantom:n=400,seed=5,fault=Aster",
}


def sample(spec: str) -> Sample:
    """The cases of a phantom, scored by a made-up model that knows nothing of image quality."""
    source = open_source(spec)
    shards = [shard for split in ("train", "tune") for shard in source.shards(split)]
    cases = [case for shard in shards for case in source.read(shard)]
    quality = [vars(inspect_image(case.image)[1]) for case in cases]
    labels = np.array([case.label for case in cases], np.int8)
    draws = np.random.default_rng(len(cases)).normal(size=len(cases))
    scores = 1 / (1 + np.exp(-(2 * (2 * labels - 1) + draws)))
    return Sample(
        case_ids=np.array([case.case_id for case in cases]),
        at=np.full(len(cases), np.datetime64("2026-01-05T10:00:00", "ms")),
        scores=scores,
        positive=scores >= 0.5,
        labels=np.full(len(cases), -1, np.int8),
        numbers={name: np.array([row[name] for row in quality], float) for name in quality[0]},
        words={
            name: np.array([case.attributes[name] for case in cases], object)
            for name in ("site", "device", "age_band", "sex", "view", "aetiology")
        },
    )


@cache
def reference() -> Sample:
    return sample("phantom:n=1200,seed=1")


def seen(scenario: str) -> Drift:
    return compare(
        reference(), sample(SERVED[scenario]), limits=read_limits(SCHEMA), alpha=0.01, min_cases=200
    )


@pytest.mark.parametrize("scenario", SERVED)
def test_each_is_read_as_what_it_is(scenario: str) -> None:
    drift = seen(scenario)
    assert drift.state == (STEADY if scenario == "nothing" else MOVED)
    assert drift.reading.kind == scenario
    moved = {shift.name: shift.kind for shift in drift.shifts if shift.state == MOVED}
    if scenario == "population":
        assert "aetiology" in moved and "quality" not in moved.values()
    if scenario == "new_source":
        assert drift.reading.where == ("device=Dorado",) and "device" in moved
    if scenario == "acquisition":
        assert drift.reading.where == ("device=Aster",) and "device" not in moved
        assert "quality" in moved.values()
