"""The words every data source speaks: a case, a case that cannot be used, a shard, a source.

Case sets and training manifests keep cases without their images, and may hold a million of them, so
a row is read by a few comparisons.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from components.records.errors import IntegrityError
from components.records.text import spell

SPLITS = ("train", "tune", "test")
POSITIVE = 1
NEGATIVE = 0
CASES_PER_SHARD = 512  # what one file of records holds at most
MAX_PIXELS = 100_000_000  # of a case's picture
MIN_SIDE = 3  # of a case's picture: its sharpness needs a neighbour on every side


@dataclass(frozen=True)
class Case:
    """One image with its label.

    Attributes:
      case_id: unique and stable within its source.
      patient_id: all images of one patient share it; splits never do.
      label: 1 positive (the finding is present), 0 negative.
      image: the encoded image, PNG or JPEG, 8 or 16 bit, grey or RGB.
      attributes: what to slice by (site, device, age_band, sex, view, aetiology, ...).
      file_sha256: hex, of the file that the image was made of; empty where it is the file.
    """

    case_id: str
    patient_id: str
    label: int
    image: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    file_sha256: str = ""


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


@dataclass(frozen=True)
class ReadAs:
    """How a source's names were read.

    Attributes:
      labels: every word for a class to its label, None where it was left out.
      patients: how many files have their patient from where; "" for those that name none.
      notes: what else was taken for what, a line each.
    """

    labels: Mapping[str, int | None] = field(default_factory=dict)
    patients: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, the labels first."""
        words = {NEGATIVE: "negative (0)", POSITIVE: "positive (1)", None: "left out"}
        labels = [f"{spell(word)} is {words[label]}" for word, label in self.labels.items()]
        patients = [f"{n:,} files by {name}" for name, n in sorted(self.patients.items()) if name]
        if each := self.patients.get(""):
            patients.append(f"{each:,} files are a patient each")
        return (
            *([f"labels: {', '.join(labels)}"] if labels else []),
            *([f"patients: {'; '.join(patients)}"] if patients else []),
            *self.notes,
        )

    @classmethod
    def together(cls, parts: Iterable["ReadAs"]) -> "ReadAs":
        """Of data that come in several pieces."""
        labels: dict[str, int | None] = {}
        patients: Counter[str] = Counter()
        notes: dict[str, None] = {}
        for part in parts:
            labels |= part.labels
            patients.update(part.patients)
            notes |= dict.fromkeys(part.notes)
        return cls(labels, patients, tuple(notes))


NOTHING_READ = ReadAs()


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

    @property
    def read_as(self) -> ReadAs:
        """How its names were read; nothing where it has none."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 (hex) that changes whenever any case of the source would."""
        ...

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        """Shards of a split, in order; empty where the source has no such split."""
        ...

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        """The shard's cases in order, streamed: never more than the shard in memory."""
        ...


_is_sha256 = re.compile("[0-9a-f]{64}").fullmatch
_is_perceptual = re.compile("[0-9a-f]{128}").fullmatch


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case as its source shows it.

    Attributes:
      label: 1 positive, 0 negative.
      bytes_sha256: hex, of the encoded file; may differ between encoders of the same picture.
      pixels_sha256: hex, of the decoded samples; see `components.cases.images.samples_sha256`.
      attributes: what to slice by; cases with the same may share one mapping.
      perceptual_hash: 128 hex digits that change little where the picture does; see
        `components.cases.traits.perceptual_hash`. Empty where the picture has none, and in what
        was written before there were any.
    """

    case_id: str
    patient_id: str
    label: int
    bytes_sha256: str
    pixels_sha256: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    perceptual_hash: str = field(default="", kw_only=True)

    def line(self) -> bytes:
        """Its canonical JSON, which is its leaf in a Merkle tree; without a line feed.

        Raises:
          IntegrityError: text that is not Unicode, such as half of a surrogate pair.
        """
        row = {name: getattr(self, name) for name in self.__dataclass_fields__}
        row["attributes"] = dict(self.attributes)
        if not self.perceptual_hash:
            del row["perceptual_hash"]  # as it was before there were any: no root changes
        try:
            return canonical_row(row)
        except TypeError as error:
            raise IntegrityError(
                f"case {self.case_id!a}: got text that is not Unicode ({error})"
            ) from None


def has_patient(case: CaseRecord) -> bool:
    """Whether the patient id can say more than the case: sources without patients make one up.

    They take the case's own id, or the picture's hash.
    """
    return case.patient_id not in (case.case_id, f"px-{case.pixels_sha256}")


def canonical_row(row: Any) -> bytes:
    """As `canonical_json`, for rows without floating-point numbers, ten times as fast."""
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def is_case_row(row: Any, kind: type[CaseRecord] = CaseRecord) -> bool:
    """Whether a row of JSON has the fields of `kind`, those of CaseRecord of exactly its types."""
    if type(row) is not dict:
        return False
    wanted = kind.__dataclass_fields__.keys()
    if row.keys() != (wanted if "perceptual_hash" in row else wanted - {"perceptual_hash"}):
        return False
    attributes, label = row["attributes"], row["label"]
    return (
        _is_name(row["case_id"])
        and _is_name(row["patient_id"])
        and type(label) is int
        and 0 <= label <= 1
        and _is_hash(row["bytes_sha256"])
        and _is_hash(row["pixels_sha256"])
        and ("perceptual_hash" not in row or _is_likeness(row["perceptual_hash"]))
        and type(attributes) is dict
        and all(type(value) is str for value in attributes.values())
    )


def _is_name(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_likeness(value: Any) -> bool:
    return type(value) is str and _is_perceptual(value) is not None


def _is_hash(value: Any) -> bool:
    return type(value) is str and _is_sha256(value) is not None
