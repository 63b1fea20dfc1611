"""Indexes of cases with chosen hashes and figures, as CaseExampleGen leaves them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.records.case import CaseRecord
from components.records.case_index import write_figures, write_records
from tests.components.planting import sha


def picture(number: int) -> int:
    """The perceptual hash of a picture, unlike that of any other number."""
    bits = np.random.default_rng(number).integers(0, 2, 512)
    bits[0] = 1
    return int("".join(map(str, bits)), 2)


def case(name: str, label: int, looks: int | None, **changed: object) -> CaseRecord:
    """`looks`: a hash, None for a picture that has none."""
    given = {
        "case_id": name,
        "patient_id": f"of {name}",
        "label": label,
        "bytes_sha256": sha(f"bytes of {name}"),
        "pixels_sha256": sha(f"pixels of {name}"),
        "perceptual_hash": "" if looks is None else f"{looks:0128x}",
    }
    return CaseRecord(**{**given, **changed})  # type: ignore[arg-type]


def write_index(
    folder: Path, shard: str, cases: Sequence[CaseRecord], figures: Sequence[Sequence[float]] = ()
) -> Path:
    """Adds a shard, such as "train-000000", to the index in a folder, and returns the folder."""
    folder.mkdir(exist_ok=True)
    write_records(folder / f"{shard}.jsonl", cases)
    write_figures(folder / f"{shard}.figures", [tuple(row) for row in figures or [()] * len(cases)])
    return folder
