"""The conversation with a program that runs an artefact, in whichever runtime that is.

Every message is a line of JSON, then the bytes that it announces: first the program's head, with
{"fault", "missing", "version", "size"}; then to each request {"fault", "unreadable", "at",
"milliseconds"} and the logits, float32; last, when the requests end, {"peak_memory_bytes"}.
"""

import itertools
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from components.exports.running import BATCH, Asked, MissingRuntime, latency_of, probabilities
from components.records import events
from components.records.errors import SourceError, Unservable
from components.scoring.served import ending_of, read_head


def converse(
    command: Sequence[str],
    pictures: Iterable[bytes],
    request: Callable[[Sequence[bytes], Mapping[str, Any]], bytes],
    *,
    model: Path,
    runtime: str,
    wanted: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> Asked:
    """What the program answers to all pictures; see `components.exports.running.ask`.

    Args:
      request: of some pictures, and the program's head.
      wanted: what the head has to say of the model's input, by name; None for anything.
      environment: the program's; None for this process' own.
    """
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            env=environment,
        ) as process,
    ):
        try:
            return _asked(process, pictures, request, model, runtime, wanted)
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
    pictures: Iterable[bytes],
    request: Callable[[Sequence[bytes], Mapping[str, Any]], bytes],
    model: Path,
    runtime: str,
    wanted: Mapping[str, Any],
) -> Asked:
    assert process.stdin and process.stdout  # pipes, as asked for
    head = _head(process.stdout, model)
    if "missing" in head:
        raise MissingRuntime(f"{runtime}: {head['missing']}")
    for name, want in wanted.items():
        if want not in (None, head[name]):
            raise Unservable(f"{model}: its input has {name} {head[name]}, wanted {want}")
    logits: list[np.ndarray] = [np.zeros(0, np.float32)]
    times: list[float] = []
    waiting = iter(pictures)
    while some := list(itertools.islice(waiting, BATCH)):
        message = request(some, head)
        with suppress(BrokenPipeError):  # that it ended shows when it is read
            process.stdin.write(message)
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
