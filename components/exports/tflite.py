"""TensorFlow Lite files of a model, by TensorFlow's converter."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.exports.exporting import Converted, run_converter
from components.exports.tflite_metadata import with_metadata
from components.records.export import LABELS, TFLITE_MODEL, ExportRecord

PROGRAM = Path(__file__).with_name("tflite_conversion.py")


def convert(
    kind: str,
    saved_model: Path,
    size: int,
    folder: Path,
    calibration: npt.NDArray[np.float32] | None,
) -> Converted:
    """Writes `model.tflite`; the same inputs give the same bytes.

    Args:
      kind: tflite_int8, tflite_float16 or tflite_float.
      size: the side of its input, in pixels.
      calibration: prepared pixels (n, size, size, 1); tflite_int8 needs them.

    Raises:
      Unservable: the converter refuses the model, or its process ended.
    """
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [kind, str(size), str(folder / TFLITE_MODEL)]
        if calibration is not None:
            np.save(Path(scratch) / "pixels.npy", calibration)
            arguments.append(str(Path(scratch) / "pixels.npy"))
        converter = run_converter(kind, sys.executable, PROGRAM, saved_model, *arguments)
    return Converted(converter, describe=describe)


def describe(folder: Path, record: ExportRecord) -> None:
    """Puts into `model.tflite` what an app has to know of it."""
    path = folder / TFLITE_MODEL
    labels = (folder / LABELS).read_text("utf-8").splitlines()
    path.write_bytes(with_metadata(path.read_bytes(), record, labels))
