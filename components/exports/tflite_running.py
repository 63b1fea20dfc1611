"""A .tflite file, asked through the program `tflite_session.py`."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from components.exports.conversing import converse
from components.exports.pixels import prepared_batch
from components.exports.running import Asked, MissingRuntime
from components.records.export import TFLITE, TFLITE_MODEL, load_export_record

PROGRAM = Path(__file__).with_name("tflite_session.py")


def ask_tflite(folder: Path, pictures: Iterable[bytes]) -> Asked:
    """See `components.exports.running.ask`."""
    record = load_export_record(folder)
    return ask_file(folder / TFLITE_MODEL, pictures, size=record.image_size)


def ask_file(model: Path, pictures: Iterable[bytes], *, size: int | None = None) -> Asked:
    """As `ask_tflite`, of a file without a record.

    Args:
      size: the side of its input, in pixels; None for any.
    """
    if find_spec("ai_edge_litert") is None:
        raise MissingRuntime("tflite: ai-edge-litert is not installed; `make` installs it")
    return converse(
        [sys.executable, "-I", str(PROGRAM), str(model.resolve())],
        pictures,
        _request,
        model=model,
        runtime=TFLITE,
        wanted={"size": size},
    )


def _request(some: Sequence[bytes], head: Mapping[str, Any]) -> bytes:
    return (
        json.dumps({"count": len(some)}).encode()
        + b"\n"
        + prepared_batch(some, head["size"]).tobytes()
    )
