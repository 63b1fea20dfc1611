"""Scores of trained models, kept so that another policy can judge them within seconds."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.records.files import write_atomically

WORDS = ("data", "family", "grade", "spec", "inputs")


@dataclass(frozen=True, eq=False)
class Scored:
    """One model on one case set.

    Attributes:
      data, family, grade, spec, seed: those of its job.
      inputs: hash of the configuration and the data; another one means: train again.
      trained_on: training cases by attribute and value.
      case_ids: shape (n,); scores: float64, shape (n,).
      weights: the network's, in Keras' order; none where the scores are of an honest model that
        was served wrong images.
    """

    data: str
    family: str
    grade: str
    spec: str
    inputs: str
    seed: int
    trained_on: Mapping[str, Mapping[str, int]]
    case_ids: tuple[str, ...]
    scores: NDArray[np.float64]
    operating_point: float
    weights: Sequence[NDArray[np.float32]] = ()


def save(scored: Scored, path: Path) -> None:
    """Writes the file whole or not at all."""
    stream = io.BytesIO()
    arrays = {f"weights_{i:02d}": array for i, array in enumerate(scored.weights)}
    words = {name: np.array(getattr(scored, name)) for name in WORDS}
    np.savez_compressed(
        stream,
        **words,
        **arrays,
        seed=np.array(scored.seed),
        trained_on=np.array(json.dumps(scored.trained_on, sort_keys=True)),
        case_ids=np.array(scored.case_ids),
        scores=scored.scores,
        operating_point=np.array(scored.operating_point),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, stream.getvalue())


def load(path: Path) -> Scored:
    with np.load(path, allow_pickle=False) as file:
        return Scored(
            **{name: str(file[name]) for name in WORDS},
            seed=int(file["seed"]),
            trained_on=json.loads(str(file["trained_on"])),
            case_ids=tuple(str(case_id) for case_id in file["case_ids"]),
            scores=file["scores"].astype(np.float64),
            operating_point=float(file["operating_point"]),
            weights=[file[name] for name in sorted(file.files) if name.startswith("weights_")],
        )


def inputs_of(path: Path) -> str | None:
    """What the model in a file was trained from; None where there is no file."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return str(file["inputs"])


def load_all(folder: Path, data: str) -> Iterator[Scored]:
    """Every model of one data set, in the order of their files' names."""
    for path in sorted((folder / data).glob("*/seed-*.npz")):
        yield load(path)


def place(folder: Path, model_folder: str, seed: int) -> Path:
    return folder / model_folder / f"seed-{seed:03d}.npz"
