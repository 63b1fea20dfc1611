"""Cases as columns: what a comparison of served cases with a model's own data works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.records.errors import IntegrityError, SourceError
from components.records.text import brief

Floats = npt.NDArray[np.float64]
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Sample:
    """Arrays of shape (n_cases,), all in the same order of cases.

    Attributes:
      case_ids: text.
      at: when each was predicted, datetime64[ms] in UTC; NaT where that means nothing.
      scores: in [0, 1].
      positive: bool, the decision at the operating point.
      labels: int8, 1 positive, 0 negative, UNLABELLED where nobody gave one yet.
      numbers: quality features by name, float64, NaN where unknown.
      words: attributes by name, object arrays of text, None where unknown.
    """

    case_ids: npt.NDArray[Any]
    at: npt.NDArray[np.datetime64]
    scores: Floats
    positive: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int8]
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    words: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.case_ids)

    def number(self, name: str) -> Floats:
        """A quality feature, NaN where unknown."""
        return self.numbers.get(name, np.full(len(self), np.nan))

    def word(self, name: str) -> npt.NDArray[np.object_]:
        """An attribute, None where unknown."""
        return self.words.get(name, np.full(len(self), None))

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Sample":
        """The cases where `chosen` (bool, shape (n_cases,)) is true."""
        return Sample(
            case_ids=self.case_ids[chosen],
            at=self.at[chosen],
            scores=self.scores[chosen],
            positive=self.positive[chosen],
            labels=self.labels[chosen],
            numbers={name: column[chosen] for name, column in self.numbers.items()},
            words={name: column[chosen] for name, column in self.words.items()},
        )


_NUMBER, _WORD = "number_", "word_"
# numpy's letters for text, floats, booleans and signed integers
_COLUMNS = {"case_ids": "U", "patient_ids": "U", "scores": "f", "positive": "b", "labels": "i"}


def load_reference(path: Path) -> Sample:
    """The tuning cases of a run; they have no time of their own, so `at` is NaT.

    Raises:
      SourceError: there is no such file.
      IntegrityError: the file is damaged, or holds what no run writes. Nothing in it is executed.
    """
    if not path.is_file():
        raise SourceError(
            f"{path}: got no file, wanted the reference cases of a run; judge the model again"
        )
    columns = _columns(path)

    def named(prefix: str) -> list[tuple[str, npt.NDArray[Any]]]:
        prefixed = [name for name in columns if name.startswith(prefix)]
        return [(name.removeprefix(prefix), columns[name]) for name in prefixed]

    sample = Sample(
        case_ids=columns["case_ids"],
        at=np.full(columns["case_ids"].shape, np.datetime64("NaT", "ms")),
        scores=columns["scores"].astype(np.float64),
        positive=columns["positive"],
        labels=columns["labels"].astype(np.int8),
        numbers={name: column.astype(np.float64) for name, column in named(_NUMBER)},
        words={
            name: np.array([word or None for word in column.tolist()], dtype=np.object_)
            for name, column in named(_WORD)
        },
    )
    _check_values(sample, path)
    return sample


def _columns(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Every column, of the kind its name says and of equal length."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files if name != "operating_point"}
    except Exception as error:  # a damaged archive may raise anything
        raise _damaged(path, brief(error)) from error
    for name in _COLUMNS:
        if name not in columns:
            raise _damaged(path, f"no '{name}'")
    shape = (columns["case_ids"].size,)
    for name, column in columns.items():
        prefixed = {_NUMBER: "f", _WORD: "U"}.get(f"{name.partition('_')[0]}_")
        wanted = prefixed or _COLUMNS.get(name)
        if column.dtype.kind != wanted or column.shape != shape:
            raise _damaged(path, f"'{name}' of type {column.dtype} and shape {column.shape}")
    return columns


def _check_values(sample: Sample, path: Path) -> None:
    if not len(sample):
        raise _damaged(path, "no case")
    # Written so that NaN is refused too.
    if not np.all((sample.scores >= 0) & (sample.scores <= 1)):
        raise _damaged(path, "a score outside [0, 1]")
    if not np.all(np.isin(sample.labels, (0, 1, UNLABELLED))):
        raise _damaged(path, "a label that is neither 0 nor 1")
    if np.unique(sample.case_ids).size != len(sample):
        raise _damaged(path, "a case twice")


def _damaged(path: Path, got: str) -> IntegrityError:
    return IntegrityError(
        f"{path}: got {got}, wanted the reference cases as a run wrote them; "
        "restore the file or judge the model again"
    )
