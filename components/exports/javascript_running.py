"""A graph model of TensorFlow.js, asked in Node or in Chromium, by what `make tfjs` makes.

The program is `javascript/ask.js`; in the browser it uses neither a server nor a port.
"""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from components.exports.running import (
    BATCH,
    NODE_WASM,
    Asked,
    MissingRuntime,
    latency_of,
    probabilities,
)
from components.records import events
from components.records.errors import SourceError, Unservable
from components.records.export import TFJS_MODEL, load_export_record
from components.scoring.served import ending_of, read_head

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def built(part: str) -> Path:
    """Where `make tfjs` puts a part: `build/tfjs` of the checkout.

    Raises:
      MissingRuntime: it is not there.
    """
    path = Path(__file__).parents[2] / "build" / "tfjs" / part
    if not path.exists():
        raise MissingRuntime(f"{path}: not there; `make tfjs` in the checkout makes it")
    return path


def ask_tfjs(folder: Path, runtime: str, pictures: Iterable[bytes]) -> Asked:
    """See `components.exports.running.ask`."""
    record = load_export_record(folder)
    return ask_graph_model(folder, runtime, pictures, size=record.image_size)


def ask_graph_model(
    folder: Path, runtime: str, pictures: Iterable[bytes], *, size: int | None = None
) -> Asked:
    """As `ask_tfjs`, of a folder without a record.

    Args:
      size: the side of its input, in pixels; None for any.
    """
    command = [_program("node", runtime), str(built("ask.cjs")), runtime, str(folder.resolve())]
    if runtime != NODE_WASM:
        built("ask_page.js")
        command.append(_program("Chromium", runtime, *BROWSERS))
    with (
        # Chromium's profile goes with it.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            env={**os.environ, "TMPDIR": scratch},
        ) as process,
    ):
        try:
            return _asked(process, folder / TFJS_MODEL, runtime, pictures, size)
        except _Ended:
            process.kill()
            how = ending_of(process.wait(), words)
            raise Unservable(f"{folder}: the process that ran it {how}") from None
        finally:
            process.kill()


class _Ended(Exception):
    """The process is gone."""


def _program(name: str, runtime: str, *commands: str) -> str:
    for command in commands or (name,):
        if path := shutil.which(command):
            return path
    raise MissingRuntime(f"{runtime}: no {name} on this machine; install it")


def _asked(
    process: "subprocess.Popen[bytes]",
    model: Path,
    runtime: str,
    pictures: Iterable[bytes],
    size: int | None,
) -> Asked:
    assert process.stdin and process.stdout  # pipes, as asked for
    head = _head(process.stdout, model)
    if "missing" in head:
        raise MissingRuntime(f"{runtime}: {head['missing']}")
    if size not in (None, head["size"]):
        raise Unservable(f"{model}: its input has size {head['size']}, wanted {size}")
    logits: list[np.ndarray] = [np.zeros(0, np.float32)]
    times: list[float] = []
    waiting = iter(pictures)
    while some := list(itertools.islice(waiting, BATCH)):
        request = json.dumps({"sizes": [len(picture) for picture in some]}).encode() + b"\n"
        with suppress(BrokenPipeError):  # that it ended shows when it is read
            process.stdin.write(b"".join([request, *some]))
            process.stdin.flush()
        answer = _head(process.stdout, model)
        if "unreadable" in answer:
            number = len(times) + answer["at"] + 1
            raise SourceError(f"picture {number}: {answer['unreadable']}; not a usable image")
        times += answer["milliseconds"]
        logits.append(np.frombuffer(process.stdout.read(4 * len(some)), np.float32))
        if len(logits[-1]) < len(some):
            raise _Ended
        events.publish("progress", detail=f"cases in {runtime} {len(times)}", done=len(times))
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
