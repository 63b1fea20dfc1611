"""A program: runs a .tflite file, one picture at a time on one thread, as a tablet does.

A broken file can abort the interpreter, so it has a process of its own; it imports nothing of this
project.

    python -I tflite_session.py MODEL

Every message is a line of JSON, then the bytes that it announces. First out is {"fault", "version",
"size"}: the side of the input in pixels; a model with a fault gets no further. A request is
{"count"} and as many prepared pictures, float32; its answer {"fault", "milliseconds"}, the time of
each call, and the logits, float32. Last, when the requests end, comes {"peak_memory_bytes"}.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


class Unrunnable(Exception):
    """Why the model cannot be run, in one line."""


class Model:
    """One .tflite file in its interpreter."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise Unrunnable(f"cannot be loaded: {' '.join(str(error).split())[:200]}") from None
        given = self._interpreter.get_input_details()
        gives = self._interpreter.get_output_details()
        if len(given) != 1 or len(gives) != 1:
            raise Unrunnable(
                f"has {len(given)} inputs and {len(gives)} outputs, wanted one of each"
            )
        self._given, self._gives = given[0], gives[0]
        shape = [int(side) for side in self._given["shape"]]
        self.size = shape[1] if len(shape) == 4 else 0
        if shape != [1, self.size, self.size, 1]:
            raise Unrunnable(f"its input has shape {shape}, wanted [1, size, size, 1]")
        if (gave := [int(side) for side in self._gives["shape"]]) != [1, 1]:
            raise Unrunnable(f"its output has shape {gave}, wanted [1, 1]: the logit")

    def logit(self, pixels: np.ndarray) -> tuple[np.float32, float]:
        """Of one prepared picture, float32 (1, size, size, 1); and the milliseconds it took."""
        given = whole(pixels, self._given)
        start = time.perf_counter()
        self._interpreter.set_tensor(self._given["index"], given)
        self._interpreter.invoke()
        found = self._interpreter.get_tensor(self._gives["index"])
        milliseconds = 1000 * (time.perf_counter() - start)
        return np.float32(real(found, self._gives).reshape(())), milliseconds


def peak_memory_bytes() -> int:
    """Of this process alone: `ru_maxrss` begins with what its parent had."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1])


def whole(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """Real values as the tensor wants them: itself, or whole numbers by its scale and zero point.

    Raises:
      Unrunnable: it is of another type, or has no scale.
    """
    kind = np.dtype(tensor["dtype"])
    if kind == np.float32:
        return values
    scale, zero = _quantisation(tensor)
    limits = np.iinfo(kind)
    return np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(kind)


def real(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """Values of the tensor as real ones, float32; raises Unrunnable as `whole`."""
    if values.dtype == np.float32:
        return values
    scale, zero = _quantisation(tensor)
    return (values.astype(np.float32) - np.float32(zero)) * scale


def _quantisation(tensor: dict[str, Any]) -> tuple[np.float32, int]:
    scale, zero = tensor["quantization"]
    kind = np.dtype(tensor["dtype"])
    if kind.kind not in "iu" or not np.isfinite(scale) or scale <= 0:
        raise Unrunnable(
            f"tensor {tensor['name']} is {kind} with the scale {scale}, wanted float32, or whole "
            "numbers with a scale above 0"
        )
    return np.float32(scale), int(zero)


def main(path: Path) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the interpreter prints stays out of the answers

    def say(head: dict[str, Any], content: bytes = b"") -> None:
        answers.write(json.dumps(head).encode() + b"\n" + content)
        answers.flush()

    head = {"fault": None, "version": f"ai-edge-litert {version('ai-edge-litert')}"}
    try:
        model = Model(path)
    except Unrunnable as error:
        say({**head, "fault": str(error)})
        return
    say({**head, "size": model.size})
    for line in sys.stdin.buffer:
        count = json.loads(line)["count"]
        content = sys.stdin.buffer.read(4 * count * model.size**2)
        pixels = np.frombuffer(content, np.float32).reshape(count, 1, model.size, model.size, 1)
        try:
            found = [model.logit(picture) for picture in pixels]
        except (Unrunnable, RuntimeError, ValueError) as error:
            say({"fault": " ".join(str(error).split())[:200], "milliseconds": []})
            return
        times = [milliseconds for _, milliseconds in found]
        logits = np.array([logit for logit, _ in found], np.float32)
        say({"fault": None, "milliseconds": times}, logits.tobytes())
    say({"peak_memory_bytes": peak_memory_bytes()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
