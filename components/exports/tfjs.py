"""A graph model for TensorFlow.js, made by the converter that `make tfjs` installs."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.exports.exporting import Converted, run_converter
from components.exports.javascript_running import built
from components.records.errors import Unservable
from components.records.export import TFJS

PROGRAM = Path(__file__).with_name("converter") / "convert.py"


def convert(
    saved_model: Path, size: int, folder: Path, calibration: npt.NDArray[np.float32] | None = None
) -> Converted:
    """Writes `model.json` and its shards; the same inputs give the same bytes.

    It takes one picture at a time, and gives the heat map, too, unless that needs an operation
    that TensorFlow.js does not have.

    Args:
      size, calibration: of no use here.

    Raises:
      MissingRuntime: the converter is not on this machine.
      Unservable: it refuses the model, or its process ended.
    """
    # The answer must not hang on whether there is a card.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    python, out = str(built("python/bin/python")), str(folder.resolve())
    answer = json.loads(run_converter(TFJS, python, PROGRAM, saved_model, out, **quiet))
    if "missing" in answer:
        raise Unservable(f"{saved_model}: {answer['missing']}")
    return Converted(answer["converter"], answer["heatmap"])
