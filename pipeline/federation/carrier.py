"""The program that carries messages by Flower, as a child of the process that has the data.

Flower's environment is its own (`make flower`), because its pins do not fit TFX's.
"""

import contextlib
import io
import json
import queue
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.records.errors import ConfigError, DeviceLost
from components.scoring.served import ending_of

PROGRAM = Path(__file__).with_name("flower") / "carry.py"
BUILT = Path(__file__).parents[2] / "build" / "flower"
Told = tuple[dict[str, Any], bytes]


def flower_python() -> Path:
    """The interpreter of Flower's environment: `build/flower` of the checkout.

    Raises:
      ConfigError: it is not there.
    """
    path = BUILT / "bin" / "python"
    if not path.exists():
        raise ConfigError(f"{path}: not there; `make flower` in the checkout makes it")
    return path


@dataclass
class Carrier:
    """The conversation with it; see `flower/carry.py` for what is said."""

    child: "subprocess.Popen[bytes]"
    words: IO[bytes]
    heard: "queue.Queue[Told | None]" = field(default_factory=queue.Queue)

    def tell(self, words: Mapping[str, Any], payload: bytes = b"") -> None:
        assert self.child.stdin  # a pipe, as asked for
        # That it ended shows when it is read.
        with contextlib.suppress(BrokenPipeError):
            head = json.dumps({**words, "bytes": len(payload)}).encode()
            self.child.stdin.write(b"".join([head, b"\n", payload]))
            self.child.stdin.flush()

    def hear(self, timeout_s: float | None = None) -> Told:
        """What it says next.

        Raises:
          TimeoutError: it said nothing for so long.
          DeviceLost: its process ended.
        """
        try:
            told = self.heard.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if told is None:
            how = ending_of(self.child.wait(), self.words)
            raise DeviceLost(f"training: the process that carries messages by Flower {how}")
        return told

    def listen(self) -> None:
        assert self.child.stdout  # a pipe, as asked for
        stream = self.child.stdout
        while (line := stream.readline()).endswith(b"\n"):
            words = json.loads(line)
            payload = stream.read(words.pop("bytes"))
            self.heard.put((words, payload))
        self.heard.put(None)


@contextlib.contextmanager
def start_carrier(kind: str, settings: Mapping[str, Any], log: Path) -> Iterator[Carrier]:
    """Starts the program, which ends with the block, or with this process.

    Args:
      kind: `coordinator` or `site`.
      settings: its first message.
      log: what Flower prints is added to it.
    """
    command = [str(flower_python()), "-I", str(PROGRAM), kind]
    pipe = subprocess.PIPE
    with (
        log.open("ab+") as words,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=words) as child,
    ):
        carrier = Carrier(child, words)
        threading.Thread(target=carrier.listen, daemon=True).start()
        try:
            carrier.tell(settings)
            yield carrier
        finally:
            child.kill()


def pack(weights: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Arrays by name, as bytes."""
    written, arrays = io.BytesIO(), dict[str, Any](weights)
    np.savez(written, **arrays)
    return written.getvalue()


def unpack(payload: bytes, *, most_bytes: int | None = None) -> dict[str, npt.NDArray[Any]]:
    """What `pack` packed.

    Args:
      most_bytes: that the arrays may have; None for any number.

    Raises:
      ValueError: it holds something else, such as pickled objects, or more than that.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if most_bytes is not None and size > most_bytes:
            raise ValueError(f"{size} bytes in it, wanted at most {most_bytes}")
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # zipfile, zlib and NumPy each have several kinds of their own
        raise ValueError(f"no arrays: {error}") from None
