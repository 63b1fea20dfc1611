"""The words every data source speaks: a case, a case that cannot be used, a shard, a source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SPLITS = ("train", "tune", "test")
POSITIVE = 1
NEGATIVE = 0


@dataclass(frozen=True)
class Case:
    """One image with its label.

    Attributes:
      case_id: unique and stable within its source.
      patient_id: all images of one patient share it; splits never do.
      label: 1 positive (the finding is present), 0 negative.
      image: the encoded image, PNG or JPEG, 8 or 16 bit, grey or RGB.
      attributes: what to slice by (site, device, age_band, sex, view, aetiology, ...).
    """

    case_id: str
    patient_id: str
    label: int
    image: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BadCase:
    """A case that cannot be used: where it is (file and row) and why, in one line."""

    where: str
    reason: str


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `stop` (exclusive) of a split, as the source counts them."""

    split: str
    start: int
    stop: int


class Source(Protocol):
    """Where cases come from. Instances are small and picklable: workers get a copy each."""

    @property
    def spec(self) -> str:
        """The source as a person would type it, canonical."""
        ...

    @property
    def name(self) -> str:
        """Chooses `baselines/<name>`."""
        ...

    @property
    def synthetic(self) -> bool: ...

    def fingerprint(self) -> str:
        """SHA-256 (hex) that changes whenever any case of the source would."""
        ...

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        """Shards of a split, in order; empty where the source has no such split."""
        ...

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        """The shard's cases in order, streamed: never more than the shard in memory."""
        ...
