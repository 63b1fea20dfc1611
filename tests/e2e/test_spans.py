"""Spans through the real graph: which are trained on, what moved, and a broken one."""

import json
from pathlib import Path

import pytest

from components.records.errors import AnomaliesFound
from components.records.run_files import ADMISSION, REFERENCE
from pipeline.settings.config import load_config
from tests.e2e.making import Watched, watched_run
from tests.e2e.ward import Ward
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

QUICK = ("model.epochs=1", "model.image_size=32", "model.filters=[4, 8]")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    made = Ward(tmp_path_factory.mktemp("spans"))
    made.deliver(1, "phantom:n=300,seed=1")
    made.deliver(2, "phantom:n=300,seed=2")
    made.deliver(3, "phantom:n=300,seed=3,vendor=0.6")
    return made


def ran(ward: Ward, *settings: str) -> Watched:
    return watched_run(load_config(ward.config, [*QUICK, *settings]), ward.workspace.root)


@pytest.fixture(scope="module")
def seen(ward: Ward) -> Watched:
    return ran(ward)


def test_the_newest_span_is_held_against_the_one_before(seen: Watched) -> None:
    found = json.loads((seen.outcome.report.parent / ADMISSION).read_text())
    of = {(one["of"], one["against"]) for one in found["comparisons"]}
    assert of == {("span-0003", "span-0002")}  # nothing is released yet
    moved = {one["feature"] for one in found["comparisons"] if one["moved"]}
    assert "device" in moved and "label" not in moved
    words = "the data moved: span-0003 against span-0002: device: L-infinity"
    assert any(line.startswith(words) for line in seen.outcome.decision.findings)


def test_the_run_names_the_spans_it_rests_on(ward: Ward, seen: Watched) -> None:
    record = json.loads((seen.outcome.report.parent / "run.json").read_text())
    assert record["inputs"]["data"] == f"spans:{ward.spans}/span-{{SPAN:4}}@1-3"


def test_the_reference_holds_the_tuning_cases_and_their_spans(seen: Watched) -> None:
    import numpy as np

    with np.load(seen.outcome.report.parent / REFERENCE, allow_pickle=False) as file:
        spans, scores = file["word_span"], file["scores"]
        assert set(spans.tolist()) == {"span-0001", "span-0002", "span-0003"}
        assert 100 < len(scores) < 260 and np.isfinite(scores).all()
        assert ((scores >= file["operating_point"]) == file["positive"]).all()


def test_a_rolling_window_trains_on_the_newest_alone(ward: Ward) -> None:
    rolled = ran(ward, "data.window=rolling", "data.window_spans=1")
    record = json.loads((rolled.outcome.report.parent / "run.json").read_text())
    assert record["inputs"]["data"].endswith("@3")
    found = json.loads((rolled.outcome.report.parent / ADMISSION).read_text())
    assert found["comparisons"] == []


def test_where_drift_stops_nothing_is_trained(ward: Ward) -> None:
    with refused(AnomaliesFound, "span-0003 against span-0002: device: "):
        ran(ward, "data.drift=stop")


def test_a_run_that_releases_nothing_passes_and_pushes_nothing(ward: Ward, tmp_path: Path) -> None:
    lenient = ward.baseline / "policy.yaml"
    kept = lenient.read_text()
    lenient.write_text(kept.replace("floor: 0.70", "floor: 0.01").replace("0.50", "0.01"))
    settings = ("serving.release=false", "signing.unsigned=false")
    try:
        ran(ward, *settings)
        ward.approve_first()
        done = ran(ward, *settings)
    finally:
        lenient.write_text(kept)
        (ward.baseline / "golden.json").unlink(missing_ok=True)
    assert done.outcome.exit_code == 0 and done.outcome.release is None
    assert "Pusher" not in done.kinds() and not ward.workspace.serving.exists()
    record = json.loads((done.outcome.report.parent / "run.json").read_text())
    assert record["state"] == "passed" and record["release"] is None
