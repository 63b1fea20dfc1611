"""A graph model for TensorFlow.js, made by the converter that `make tfjs` installs."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.exports.exporting import Converted
from components.exports.javascript_running import built
from components.records.errors import Unservable
from components.scoring.served import ending_of

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
    command = [str(built("python/bin/python")), "-I", str(PROGRAM)]
    command += [str(saved_model.resolve()), str(folder.resolve())]
    # The answer must not hang on whether there is a card.
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryFile() as words:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=words, env=quiet, check=False)
        if done.returncode:
            how = ending_of(done.returncode, words)
            raise Unservable(f"{saved_model}: the process that converted it to tfjs {how}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "missing" in answer:
        raise Unservable(f"{saved_model}: {answer['missing']}")
    return Converted(answer["converter"], answer["heatmap"])
