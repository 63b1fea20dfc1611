"""Which split a patient belongs to, what splits must hold, and how they are cut into shards."""

import hashlib
from collections.abc import Iterable, Mapping

from components.records.case import NEGATIVE, POSITIVE, Shard
from components.records.errors import SourceError

# Shares of the patients, in the order in which they are cut from [0, 1).
TRAIN_TUNE: Mapping[str, float] = {"tune": 0.2, "train": 0.8}
TRAIN_TUNE_TEST: Mapping[str, float] = {"test": 0.2, "tune": 0.2, "train": 0.6}

SPLIT_WORDS: Mapping[str, str] = {
    "train": "train",
    **dict.fromkeys(("val", "valid", "validation", "tune", "dev"), "tune"),
    "test": "test",
}


def assign_split(patient_id: str, shares: Mapping[str, float]) -> str:
    """The split of a patient, from a hash of the id alone.

    A patient therefore never moves when others come or go, no two splits share one, and no pass
    over the pool is needed. The shares hold on average.

    Args:
      patient_id: any text.
      shares: split to share of the patients; they add up to 1.
    """
    # A file name that is not UTF-8 comes as surrogates, hence the error handler.
    digest = hashlib.sha256(b"casegate-split-v1\0" + patient_id.encode("utf-8", "surrogateescape"))
    draw = int.from_bytes(digest.digest()[:8], "big") / 2**64
    upper = 0.0
    for split, share in shares.items():
        upper += share
        if draw < upper:
            return split
    return list(shares)[-1]  # rounding leaves the sum of the shares a hair below 1


def require_both_classes(where: str, split: str, labels: Iterable[int]) -> None:
    """Refuses a split without positives or without negatives.

    Raises:
      SourceError: naming `where`, the split and the class it lacks.
    """
    found = set(labels)
    for label, word in ((POSITIVE, "positive"), (NEGATIVE, "negative")):
        if label not in found:
            raise SourceError(f"{where}: no {word} case in split '{split}'; wanted both classes")


def cut_shards(split: str, rows: int, cases_per_shard: int) -> list[Shard]:
    """Shards that cover the rows of a split once, in order; none where it has no row."""
    if cases_per_shard < 1:
        raise ValueError(f"cases_per_shard: got {cases_per_shard}, wanted at least 1")
    starts = range(0, rows, cases_per_shard)
    return [Shard(split, start, min(start + cases_per_shard, rows)) for start in starts]


class SplitCheck:
    """Refuses a case that stands twice and a patient in two splits, saying where both are.

    Args:
      advice: what to do about a patient in two splits.
    """

    def __init__(self, advice: str = "") -> None:
        self._advice = advice
        self._seen: dict[str, dict[str, str]] = {}
        self._split_of: dict[str, tuple[str, str]] = {}

    def add(self, where: str, split: str, patient_id: str, **once: str) -> None:
        """Takes in one case.

        Args:
          once: values that no other case may have, each by its kind.

        Raises:
          SourceError: another case has one of them, or the patient is in another split.
        """
        for kind, value in once.items():
            first = self._seen.setdefault(kind, {}).setdefault(value, where)
            if first is not where:
                raise SourceError(
                    f"{where}: {kind} '{value}' stands in {first} already; wanted it once"
                )
        other, first = self._split_of.setdefault(patient_id, (split, where))
        if other != split:
            raise SourceError(
                f"{where}: patient '{patient_id}' in split '{split}', but in '{other}' at {first}; "
                f"wanted one split for a patient{self._advice}"
            )
