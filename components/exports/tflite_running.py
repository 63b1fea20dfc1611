"""A .tflite file, asked through the program `tflite_session.py`."""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from components.exports.pixels import prepared_batch
from components.exports.running import BATCH, Asked, MissingRuntime, latency_of, probabilities
from components.records import events
from components.records.errors import Unservable
from components.records.export import TFLITE_INT8, TFLITE_MODEL, load_export_record
from components.scoring.served import ending_of, read_head

PROGRAM = Path(__file__).with_name("tflite_session.py")


def ask_tflite(folder: Path, pictures: Iterable[bytes]) -> Asked:
    """See `components.exports.running.ask`."""
    record = load_export_record(folder)
    takes = "int8" if record.kind == TFLITE_INT8 else "float32"
    return ask_file(folder / TFLITE_MODEL, pictures, size=record.image_size, takes=takes)


def ask_file(
    model: Path, pictures: Iterable[bytes], *, size: int | None = None, takes: str | None = None
) -> Asked:
    """As `ask_tflite`, of a file without a record.

    Args:
      size, takes: the side of its input, in pixels, and the type; None for any.
    """
    if find_spec("ai_edge_litert") is None:
        raise MissingRuntime("tflite: ai-edge-litert is not installed; `make` installs it")
    command = [sys.executable, "-I", str(PROGRAM), str(model.resolve())]
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words
        ) as process,
    ):
        try:
            return _asked(process, model, pictures, {"size": size, "takes": takes})
        except _Ended:
            process.kill()
            how = ending_of(process.wait(), words)
            raise Unservable(f"{model}: the process that ran it {how}") from None
        finally:
            process.kill()


class _Ended(Exception):
    """The process is gone."""


def _asked(
    process: "subprocess.Popen[bytes]",
    model: Path,
    pictures: Iterable[bytes],
    wanted: Mapping[str, Any],
) -> Asked:
    assert process.stdin and process.stdout  # pipes, as asked for
    head = _head(process.stdout, model)
    for name, want in wanted.items():
        if want not in (None, head[name]):
            raise Unservable(f"{model}: its input has {name} {head[name]}, wanted {want}")
    logits: list[np.ndarray] = [np.zeros(0, np.float32)]
    times: list[float] = []
    waiting = iter(pictures)
    while some := list(itertools.islice(waiting, BATCH)):
        request = json.dumps({"count": len(some)}).encode() + b"\n"
        with suppress(BrokenPipeError):  # that it ended shows when it is read
            process.stdin.write(request + prepared_batch(some, head["size"]).tobytes())
            process.stdin.flush()
        times += _head(process.stdout, model)["milliseconds"]
        logits.append(np.frombuffer(process.stdout.read(4 * len(some)), np.float32))
        if len(logits[-1]) < len(some):
            raise _Ended
        events.publish("progress", detail=f"cases in tflite {len(times)}", done=len(times))
    process.stdin.close()
    peak = _head(process.stdout, model)["peak_memory_bytes"]
    return Asked(probabilities(np.concatenate(logits)), head["version"], latency_of(times), peak)


def _head(stream: IO[bytes], model: Path) -> dict[str, Any]:
    head = read_head(stream)
    if head is None:
        raise _Ended
    if head.get("fault"):
        raise Unservable(f"{model}: {head['fault']}")
    return head
