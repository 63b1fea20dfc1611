"""A model asked in the loader that TensorFlow Serving uses, in a process of its own.

Whatever TensorFlow does there, up to ending its process, is an answer about the model.
"""

import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import numpy as np

from components.baselines.scores import Servability
from components.records.errors import Unservable

PROGRAM = Path(__file__).with_name("serving_session.py")
EXPLAIN = "explain"


@dataclass(frozen=True)
class ServedRequest:
    """Attributes:
    signature: `serving_default` for encoded images, `serve_examples` for serialized Examples,
      EXPLAIN for encoded images, which a model may not have: then nothing is answered.
    alone: nothing else is computed meanwhile, so that the time it takes says something.
    spared: an input that the model cannot answer spoils no other: its label is -1.
    """

    signature: str
    inputs: Sequence[bytes]
    alone: bool = False
    spared: bool = False


@dataclass(frozen=True, eq=False)
class ServedAnswer:
    """Attributes:
    loader: what loaded the model, with TensorFlow's version.
    probability: float32 (n,); label: int64 (n,), in the order of the inputs.
    heatmap: float32 (n, h, w) in [0, 1], of EXPLAIN.
    """

    loader: str
    probability: np.ndarray
    label: np.ndarray
    milliseconds: float
    heatmap: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))


def ask(
    model: Path, requests: Iterable[ServedRequest]
) -> Iterator[tuple[ServedRequest, ServedAnswer]]:
    """Each request with its answer, in order, while later ones are on their way.

    Raises:
      Unservable: the model cannot be loaded, or does not answer.
    """
    asked: SimpleQueue[ServedRequest] = SimpleQueue()
    with (
        tempfile.TemporaryFile() as words,
        start_program(model, words) as process,
        ThreadPoolExecutor(1) as writer,
    ):
        assert process.stdin and process.stdout  # pipes, as asked for
        written = writer.submit(_write, process.stdin, requests, asked)
        loader = ""
        try:
            while head := read_head(process.stdout):
                if head["fault"]:
                    raise Unservable(f"{model}: {head['fault']}")
                if "loader" in head:
                    loader = head["loader"]
                    continue
                yield asked.get(), read_answer(process.stdout, head, loader)
            code = process.wait()
        finally:
            process.kill()
        written.result()
        if code or not asked.empty():
            raise Unservable(f"{model}: the process that served it {ending_of(code, words)}")


def start_program(
    model: Path, words: IO[bytes], *, strict: bool = False
) -> "subprocess.Popen[bytes]":
    """The program, that loads the model; what it prints besides its answers goes to `words`.

    Args:
      strict: replays the model's warm-up, and refuses answers that the contract does not allow.
    """
    command = [sys.executable, "-I", str(PROGRAM), str(model.resolve()), *["--strict"] * strict]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, env=quiet
    )


def explain(
    model: Path, images: Sequence[bytes], *, spared: bool = False
) -> Iterator[ServedAnswer]:
    """What the model says of each encoded image and why, one after the other.

    Nothing where the model was released before models said why.

    Args:
      spared: the label of an image that it cannot read is -1, which else is an error.

    Raises:
      Unservable: the model cannot be loaded, or one of the images cannot be read by it.
    """
    asked = (ServedRequest(EXPLAIN, [image], spared=spared) for image in images)
    for _, answer in ask(model, asked):
        if answer.label.size:
            yield answer


def probing() -> list[ServedRequest]:
    """One request for each signature, with a ramp of greys, which is nobody's picture."""
    from PIL import Image

    image, greys = io.BytesIO(), bytes(2 * (x + y) for y in range(64) for x in range(64))
    Image.frombytes("L", (64, 64), greys).save(image, "PNG")
    png = image.getvalue()
    return [
        ServedRequest("serving_default", [png]),
        ServedRequest("serve_examples", [_example(png)]),
        ServedRequest(EXPLAIN, [png]),
    ]


def probe(model: Path) -> Servability:
    """Whether any folder holds a model that can be served, seen on one image of our own."""
    try:
        answers = [answer for _, answer in ask(model, probing())]
    except Unservable as error:
        return Servability(str(error).removeprefix(f"{model}: "))
    return Servability(None, answers[0].loader)


def _write(
    stream: IO[bytes], requests: Iterable[ServedRequest], asked: SimpleQueue[ServedRequest]
) -> None:
    # A process that ended early is the reader's to report.
    with suppress(BrokenPipeError), stream:
        for request in requests:
            asked.put(request)
            stream.write(spell_request(request))


def spell_request(request: ServedRequest) -> bytes:
    """The message that asks it of the program."""
    head = {
        "signature": request.signature,
        "alone": request.alone,
        "spared": request.spared,
        "sizes": [len(content) for content in request.inputs],
    }
    return b"".join([json.dumps(head).encode(), b"\n", *request.inputs])


def read_answer(stream: IO[bytes], head: dict[str, Any], loader: str) -> ServedAnswer:
    """What follows the head of an answer."""
    probability, label = stream.read(4 * head["count"]), stream.read(8 * head["count"])
    shape = (head["count"], *head.get("map", (0, 0)))
    heat = stream.read(4 * math.prod(shape))
    return ServedAnswer(
        loader,
        np.frombuffer(probability, "<f4"),
        np.frombuffer(label, "<i8"),
        head["milliseconds"],
        np.frombuffer(heat, "<f4").reshape(shape),
    )


def read_head(stream: IO[bytes]) -> dict[str, Any] | None:
    """The line of JSON that begins a message; None where no more comes."""
    line = stream.readline()
    return json.loads(line) if line.endswith(b"\n") else None


def ending_of(code: int, words: IO[bytes]) -> str:
    """How a process ended, and the last line that it wrote."""
    words.seek(max(0, words.seek(0, io.SEEK_END) - 4096))
    lines = words.read().decode("utf-8", "replace").splitlines()
    last = f": {' '.join(lines[-1].split())[:300]}" if lines else ""
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"ended with {how}{last}"


def _example(image: bytes) -> bytes:
    """A serialized tf.train.Example with the feature `image`, without TensorFlow."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), bytearray()
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        return bytes([number << 3 | 2, *length, size]) + content

    value = field(1, field(1, image))  # Feature.bytes_list.value
    return field(1, field(1, field(1, b"image") + field(2, value)))  # features.feature: a map
