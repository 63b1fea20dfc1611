"""An exported artefact, asked in the runtime that it is meant for."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.records.errors import ConfigError
from components.records.export import TFLITE

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BATCH = 64  # pictures on their way at once


class MissingRuntime(ConfigError):
    """The runtime, or a program that it needs, is not on this machine; why, in one line."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What an artefact answered.

    Attributes:
      scores: float64 (n,), the probabilities, in the order of the pictures; NaN where it said NaN.
      version: of the runtime, as it says itself.
      latency_ms: median and p95 of a call with one prepared picture, on one thread.
      peak_memory_bytes: of the process that scored.
    """

    scores: npt.NDArray[np.float64]
    version: str
    latency_ms: dict[str, float]
    peak_memory_bytes: int


def ask(folder: Path, runtime: str, pictures: Iterable[bytes]) -> Asked:
    """The artefact's probability of each picture, asked in order, in batches, with progress.

    In a process of its own: whatever a broken file does there is an answer about the file.

    Args:
      folder: the artefact's; `load_export_record` has to hold of it.
      runtime: one of those of its kind.
      pictures: whole PNG or JPEG files.

    Raises:
      MissingRuntime: it cannot be asked on this machine.
      Unservable: the artefact cannot be run there, or does not answer as it should.
      IntegrityError: its files are not those of its record.
      SourceError: a picture cannot be used.
    """
    if runtime == TFLITE:
        from components.exports.tflite_running import ask_tflite

        return ask_tflite(folder, pictures)
    from components.exports.javascript_running import ask_tfjs

    return ask_tfjs(folder, runtime, pictures)


def presence() -> dict[str, str | None]:
    """Where what artefacts are made and asked by is on this machine; None where it is not.

    What was not made or asked for want of one of these has to be tried again when it is there.
    """
    made = Path(__file__).parents[2] / "build" / "tfjs"
    litert = find_spec("ai_edge_litert")
    return {
        **{name: shutil.which(name) for name in ("node", *BROWSERS)},
        "ai_edge_litert": litert.origin if litert else None,
        "tfjs": ",".join(sorted(path.name for path in made.iterdir())) if made.is_dir() else None,
    }


def probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The sigmoid of float32 logits (n,), in float64."""
    given = logits.astype(np.float64)
    # Of the sign whose exponential cannot overflow.
    small = np.exp(-np.abs(given))
    return np.where(given >= 0, 1.0, small) / (1.0 + small)


def latency_of(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and p95 of calls, without the first, which warms up; nothing where no other was."""
    times = milliseconds[1:]
    if not times:
        return {}
    quantiles = np.percentile(times, [50, 95]).round(3)
    return dict(zip(("median", "p95"), quantiles.tolist()))
