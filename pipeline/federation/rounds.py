"""The rounds that a training has behind it, in one file: a killed run goes on after the last.

The file is known by the hash of what was asked for, so that no run goes on with another's weights.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components.federation.updates import Weights, hash_weights
from components.records.errors import IntegrityError
from components.records.files import canonical_json, write_atomically
from pipeline.federation.carrier import pack, unpack

RECORD = "record"


@dataclass
class RoundsDone:
    """Attributes:
    weights: after the last of them.
    done: a record of each, JSON.
    sites: what each site registered with, JSON.
    """

    weights: Weights
    done: list[dict[str, Any]] = field(default_factory=list)
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)


def checkpoint_path(folder: Path, request_sha256: str) -> Path:
    return folder / f"federation-{request_sha256[:16]}.npz"


def keep_rounds(path: Path, request_sha256: str, rounds: RoundsDone) -> None:
    record = {
        "request_sha256": request_sha256,
        "weights_sha256": hash_weights(rounds.weights),
        "done": rounds.done,
        "sites": rounds.sites,
    }
    named = {f"weight.{name}": each for name, each in rounds.weights.items()}
    words = np.frombuffer(canonical_json(record), np.uint8)
    write_atomically(path, pack({**named, RECORD: words}))


def find_rounds(path: Path, request_sha256: str, before: Weights) -> RoundsDone:
    """What is kept of this very training; none where nothing is.

    Args:
      before: the weights to begin with where nothing is kept.

    Raises:
      IntegrityError: the file is of another training, or was altered.
    """
    if not path.exists():
        return RoundsDone(before)
    try:
        kept = unpack(path.read_bytes())
        record: Mapping[str, Any] = json.loads(kept.pop(RECORD).tobytes())
        weights = {name.removeprefix("weight."): each for name, each in kept.items()}
        same = record["request_sha256"] == request_sha256 and list(weights) == list(before)
        if same and record["weights_sha256"] == hash_weights(weights):
            return RoundsDone(weights, list(record["done"]), dict(record["sites"]))
        fault = "it is of another training, or was altered"
    except (ValueError, LookupError, TypeError) as error:
        fault = f"it cannot be read ({type(error).__name__})"
    raise IntegrityError(f"{path}: {fault}; remove it, and the training begins anew")
