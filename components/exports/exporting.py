"""An artefact of a model: converted, and with an operating point chosen in its own runtime."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.exports.running import ask
from components.exports.source import TuningCases, input_side, labels_of, record_of
from components.records.errors import Unservable
from components.records.export import (
    LABELS,
    RUNTIMES,
    SOURCE_RECORD,
    TFLITE_INT8,
    ExportRecord,
    save_export_record,
)
from components.records.files import sha256_file, sha256_tree, write_atomically
from components.scoring.operating_point import choose_operating_point
from components.scoring.served import ending_of

UNKNOWN = "not asked yet"


@dataclass(frozen=True)
class Converted:
    """What a converter says of the files that it wrote.

    Attributes:
      converter: its name and version.
      heatmap: whether they give a second output, the heat map.
      describe: writes into the files what the finished record says; of most formats nothing.
    """

    converter: str
    heatmap: bool = False
    describe: Callable[[Path, ExportRecord], None] | None = None


# Of a SavedModel, the side of its input in pixels, the folder to write into, and the prepared
# pixels to calibrate on, (n, size, size, 1), where the kind wants some.
Converter = Callable[[Path, int, Path, npt.NDArray[np.float32] | None], Converted]


def run_converter(
    kind: str, python: str, program: Path, saved_model: Path, *arguments: str, **environment: str
) -> str:
    """The last line that a converter's program prints; `environment` adds to this process' own.

    Raises:
      Unservable: it refuses the model, or its process ended.
    """
    command = [python, "-I", str(program), str(saved_model.resolve()), *arguments]
    given = {**os.environ, **environment}
    with tempfile.TemporaryFile() as words:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=words, env=given, check=False)
        if done.returncode:
            how = ending_of(done.returncode, words)
            raise Unservable(f"{saved_model}: the process that converted it to {kind} {how}")
    return done.stdout.decode().splitlines()[-1]


def export_artefact(
    saved_model: Path,
    cases: TuningCases,
    kind: str,
    folder: Path,
    *,
    target_sensitivity: float,
    convert: Converter,
) -> ExportRecord:
    """Makes the artefact in `folder`, which is empty.

    Raises:
      MissingRuntime: the converter, or the artefact's first runtime, is not on this machine.
      Unservable: the model cannot be exported, or the artefact cannot be run.
      NothingEvaluated: it gives no operating point, as its scores are not finite.
    """
    size, runtime = input_side(saved_model), RUNTIMES[kind][0]
    drawn = cases.representative(size) if kind == TFLITE_INT8 else None
    converted = convert(saved_model, size, folder, drawn[0] if drawn else None)
    names = sorted(path.name for path in folder.iterdir())
    release = record_of(saved_model)
    write_atomically(folder / SOURCE_RECORD, release)
    write_atomically(folder / LABELS, "".join(f"{it}\n" for it in labels_of(release)).encode())
    record = ExportRecord(
        kind=kind,
        model_sha256=sha256_tree(saved_model),
        image_size=size,
        operating_point=0.5,  # until the artefact was asked
        runtime=runtime,
        runtime_version=UNKNOWN,
        converter=converted.converter,
        files={name: sha256_file(folder / name) for name in names},
        heatmap=converted.heatmap,
        representative=drawn[1] if drawn else None,
    )
    save_export_record(record, folder)
    asked = ask(folder, runtime, cases.pictures)
    point = choose_operating_point(
        asked.scores, cases.labels, target_sensitivity=target_sensitivity
    )
    record = replace(record, operating_point=point, runtime_version=asked.version)
    if converted.describe:
        converted.describe(folder, record)
        record = replace(record, files={name: sha256_file(folder / name) for name in names})
    save_export_record(record, folder)
    return record
