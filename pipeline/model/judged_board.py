"""What the gate saw, as event files for TensorBoard: a folder for each model, to lie over another.

A curve is drawn over whole steps there, so its x axis is in thousandths.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps
from tensorboard.plugins.pr_curve import summary as pr_curve

from components.pages.heat import read_shown
from components.report.curves import Curve, curves, judged_scores
from components.report.evidence import ReportEvidence

MOST_LOST = 25
SIDE = 160


def write_judged(folder: Path, evidence: ReportEvidence, lost: Mapping[str, bytes]) -> None:
    """Latency, ROC, precision and recall, and calibration of each model; and the lost cases.

    Args:
      folder: gets `candidate/`, and `champion/` and `golden/` where there are any.
      lost: pictures that the report shows, too, by the id of the case.
    """
    judged = judged_scores(evidence)
    for curve in curves(evidence, judged):
        scores = evidence.scores[curve.model]
        with tf.summary.create_file_writer(str(folder / curve.model)).as_default():
            _write_curve(curve)
            for name, value in (scores.latency_ms or {}).items():
                tf.summary.scalar(f"gate/latency {name} ms", value, step=0)
            if curve.calibration is not None:  # else the scores are no probabilities
                shown = judged.scores[curve.model]
                drawn = pr_curve.pb("precision and recall", judged.labels, shown)
                tf.summary.experimental.write_raw_pb(drawn.SerializeToString(), step=0)
            if curve.model == "candidate" and lost:
                pictures = [_square(image) for image in [*lost.values()][:MOST_LOST]]
                tf.summary.image("lost cases", np.stack(pictures), step=0, max_outputs=MOST_LOST)


def copy_training(model: Path, folder: Path) -> None:
    """Takes over what the Trainer wrote beside the model, if it trained one.

    Args:
      model: in TFX's `Trainer/model/EXECUTION`.
    """
    execution = next(path for path in (model, *model.parents) if path.parent.name == "model")
    written = execution.parents[1] / "model_run" / execution.name
    if any(written.glob("events.out.tfevents.*")):
        shutil.copytree(written, folder / "training", dirs_exist_ok=True)


def _write_curve(curve: Curve) -> None:
    tf.summary.scalar("gate/AUC", curve.auc, step=0)
    for alarms, found in zip(curve.false_positives, curve.sensitivity):
        name = "gate/ROC: sensitivity over thousandths of false alarms"
        tf.summary.scalar(name, found, step=round(1000 * alarms))
    if curve.calibration is None:
        return
    for said, seen in zip(curve.calibration.mean_score, curve.calibration.observed_share):
        name = "gate/calibration: share of positives over thousandths of the score"
        tf.summary.scalar(name, seen, step=round(1000 * said))


def _square(image: bytes) -> np.ndarray:
    """As large as a square holds it, the rest black; uint8 (SIDE, SIDE, 1)."""
    shown = read_shown(image, SIDE) or Image.new("L", (1, 1))
    return np.asarray(ImageOps.pad(shown.convert("L"), (SIDE, SIDE)))[..., None]
