"""What TensorBoard shows of what the gate saw: a folder for each model, with its own curves."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from components.report.curves import curves, judged_scores
from components.report.evidence import ReportEvidence
from pipeline.model.judged_board import copy_training, write_judged
from tests.components.report.making import case_set, evidence

pytestmark = pytest.mark.tensorflow

CASES = case_set(400)


def shown() -> ReportEvidence:
    found = evidence(CASES)
    timed = dataclasses.replace(found.scores["candidate"], latency_ms={"p50": 1.0, "p95": 2.5})
    return dataclasses.replace(found, scores={**found.scores, "candidate": timed})


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def points(events: EventAccumulator, name: str) -> list[tuple[int, float]]:
    (tag,) = [tag for tag in events.Tags()["tensors"] if tag.startswith(name)]
    return [(each.step, float(make_ndarray(each.tensor_proto))) for each in events.Tensors(tag)]


def test_each_model_has_its_curves_and_the_candidate_its_latency(tmp_path: Path) -> None:
    found = shown()
    write_judged(tmp_path, found, {})
    drawn = curves(found, judged_scores(found))
    assert {path.name for path in tmp_path.iterdir()} == {curve.model for curve in drawn}
    for curve in drawn:
        events = read(tmp_path / curve.model)
        assert points(events, "gate/AUC") == [(0, pytest.approx(curve.auc))]
        roc = points(events, "gate/ROC")
        assert (roc[0], roc[-1]) == ((0, 0.0), (1000, 1.0))
        assert [value for _, value in roc] == pytest.approx(curve.sensitivity, abs=1e-6)
        assert curve.calibration is not None
        seen = [value for _, value in points(events, "gate/calibration")]
        assert seen == pytest.approx(curve.calibration.observed_share, abs=1e-6)
        assert "precision and recall/pr_curves" in events.Tags()["tensors"]
    assert points(read(tmp_path / "candidate"), "gate/latency p95") == [(0, 2.5)]


def test_lost_cases_are_a_grid_of_squares_whatever_their_shape(tmp_path: Path) -> None:
    wide = io.BytesIO()
    Image.fromarray(np.full((40, 80), 255, np.uint8)).save(wide, "PNG")
    write_judged(tmp_path, shown(), {"a": wide.getvalue(), "b": b"damaged"})
    (event,) = read(tmp_path / "candidate").Tensors("lost cases")
    width, height, *images = event.tensor_proto.string_val
    assert (width, height, len(images)) == (b"160", b"160", 2)
    pixels = [np.asarray(Image.open(io.BytesIO(image))) for image in images]
    assert pixels[0][80].min() == 255 and pixels[0][0].max() == 0 and pixels[1].max() == 0


def test_what_the_trainer_wrote_is_taken_over(tmp_path: Path) -> None:
    written = tmp_path / "Trainer" / "model_run" / "8"
    written.mkdir(parents=True)
    model = tmp_path / "Trainer" / "model" / "8" / "Format-Serving"
    copy_training(model, tmp_path / "board")
    assert not (tmp_path / "board").exists()
    (written / "events.out.tfevents.1").write_bytes(b"x")
    copy_training(model, tmp_path / "board")
    assert (tmp_path / "board" / "training" / "events.out.tfevents.1").read_bytes() == b"x"
