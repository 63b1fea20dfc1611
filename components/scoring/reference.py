"""The tuning cases with a model's scores, as columns: what served cases are compared with later.

Tuning cases, because the model never saw them in training, and its case set must not be looked at
for this.
"""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.records.errors import IntegrityError
from components.records.files import write_atomically

NUMBER, WORD = "number_", "word_"


def write_reference(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    *,
    scores: Mapping[str, float],
    operating_point: float,
) -> int:
    """Writes the columns as a .npz without pickles; returns how many cases there are.

    Args:
      rows: of each case: `case_id`, `patient_id`, `label`, `numbers` and `words` by name.
      scores: by case_id, for exactly these cases.

    Raises:
      IntegrityError: a case has no score.
    """
    kept = list(rows)
    missing = [row["case_id"] for row in kept if row["case_id"] not in scores]
    if missing:
        raise IntegrityError(f"{path}: no score for case '{missing[0]}'; run again")
    scored = np.array([scores[row["case_id"]] for row in kept], np.float64)
    columns: dict[str, Any] = {
        "case_ids": _texts(row["case_id"] for row in kept),
        "patient_ids": _texts(row["patient_id"] for row in kept),
        "labels": np.array([row["label"] for row in kept], np.int8),
        "scores": scored,
        "positive": scored >= operating_point,
        "operating_point": np.float64(operating_point),
    }
    for name in sorted({name for row in kept for name in row["numbers"]}):
        values = [row["numbers"].get(name, np.nan) for row in kept]
        columns[f"{NUMBER}{name}"] = np.array(values, np.float64)
    for name in sorted({name for row in kept for name in row["words"]}):
        columns[f"{WORD}{name}"] = _texts(row["words"].get(name, "") for row in kept)
    content = io.BytesIO()
    np.savez_compressed(content, **columns)
    write_atomically(path, content.getvalue())
    return len(kept)


def _texts(words: Iterable[str]) -> Any:
    return np.array(list(words), dtype=np.str_)
