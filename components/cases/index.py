"""The index of the cases that were read: who is in which split, and what stands where it must not.

An index is a file of JSON lines, one per case, without pixels: it outlives the images and is what
the checks, the lock of the case set and the auditor work on.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.cases.images import bytes_sha256
from components.cases.splits import require_both_classes
from components.records.case import NEGATIVE, POSITIVE, Case
from components.records.errors import IntegrityError, SourceError

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CaseRecord:
    """A case without its image.

    Attributes:
      bytes_sha256: of the encoded image; may differ between encoders of the same picture.
      pixels_sha256: of the decoded image; see `components.cases.images.samples_sha256`.
    """

    case_id: str
    patient_id: str
    label: int
    bytes_sha256: str
    pixels_sha256: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case, pixels_sha256: str) -> "CaseRecord":
        """The record of a case whose pixel hash is known already."""
        return cls(
            case_id=case.case_id,
            patient_id=case.patient_id,
            label=case.label,
            bytes_sha256=bytes_sha256(case.image),
            pixels_sha256=pixels_sha256,
            attributes=dict(case.attributes),
        )


@dataclass(frozen=True)
class SplitCounts:
    """What an index says of a split.

    Attributes:
      repeated: cases whose picture stands earlier in the split already.
    """

    cases: int
    positives: int
    patients: int
    repeated: int


@dataclass(frozen=True)
class Leak:
    """A case of the case set that the training data know: `why` is the strongest reason."""

    case_id: str
    training_case_id: str
    why: str


# Strongest first: the same bytes are the same pixels, and those the same patient.
REASONS = ("same bytes", "same pixels", "same patient")


def write_records(path: Path, records: Iterable[CaseRecord]) -> int:
    """Writes records as JSON lines while they come; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for record in records:
            stream.write(json.dumps(dataclasses.asdict(record), sort_keys=True) + "\n")
            count += 1
    return count


def read_records(path: Path) -> Iterator[CaseRecord]:
    """The records of a file, one at a time.

    Raises:
      IntegrityError: naming the line that is not a record.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield _parse_record(line)
                except (TypeError, ValueError) as error:
                    raise IntegrityError(
                        f"{path}:{number}: not a case record ({error}); write the index again"
                    ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error})") from None


def check_index(splits: Mapping[str, Iterable[CaseRecord]]) -> dict[str, SplitCounts]:
    """Counts the cases of each split, and refuses an index that no run may use.

    Args:
      splits: split to its records, all of which are read once.

    Raises:
      SourceError: a case id stands twice, a patient is in two splits, a split lacks a class.
    """
    case_ids: set[str] = set()
    split_of: dict[str, str] = {}
    counts = {}
    for split, records in splits.items():
        labels = {NEGATIVE: 0, POSITIVE: 0}
        patients, pictures = set(), set()
        for record in records:
            if record.case_id in case_ids:
                raise SourceError(f"split '{split}': case '{record.case_id}' stands twice")
            other = split_of.setdefault(record.patient_id, split)
            if other != split:
                raise SourceError(
                    f"split '{split}': patient '{record.patient_id}' (case '{record.case_id}') "
                    f"is in split '{other}' too; wanted one split for a patient"
                )
            case_ids.add(record.case_id)
            patients.add(record.patient_id)
            pictures.add(record.pixels_sha256)
            labels[record.label] += 1
        require_both_classes("index", split, (label for label, n in labels.items() if n))
        cases = sum(labels.values())
        counts[split] = SplitCounts(cases, labels[POSITIVE], len(patients), cases - len(pictures))
    return counts


def count_values(
    records: Iterable[CaseRecord], wanted: Iterable[Mapping[str, str]]
) -> dict[str, dict[str, int]]:
    """How many records have each value that occurs in `wanted`, by attribute.

    An attribute that no record has is left out: its absence says nothing of its values.

    Args:
      wanted: the attributes of each case of the case set.
    """
    counts: dict[str, dict[str, int]] = {}
    for attributes in wanted:
        for name, value in attributes.items():
            counts.setdefault(name, {})[value] = 0
    known: set[str] = set()
    for record in records:
        for name, value in record.attributes.items():
            known.add(name)
            if value in counts.get(name, ()):
                counts[name][value] += 1
    return {name: values for name, values in counts.items() if name in known}


def find_leakage(training: Iterable[CaseRecord], case_set: Iterable[CaseRecord]) -> list[Leak]:
    """The cases of the case set that stand in the training data, by bytes, pixels or patient.

    Each case is listed once, in the case set's order, with the first training case that shares
    its strongest reason. Training records are streamed: memory grows with the case set alone.
    Patients are compared by their ids, which mean something within one source only.
    """
    order: dict[str, None] = {}
    known: dict[tuple[str, str], list[str]] = {}
    for record in case_set:
        order[record.case_id] = None
        for key in _keys(record):
            known.setdefault(key, []).append(record.case_id)
    found: dict[str, tuple[int, str]] = {}
    for record in training:
        for strength, key in enumerate(_keys(record)):
            for case_id in known.get(key, ()):
                if case_id not in found or strength < found[case_id][0]:
                    found[case_id] = (strength, record.case_id)
    return [
        Leak(case_id, found[case_id][1], REASONS[found[case_id][0]])
        for case_id in order
        if case_id in found
    ]


def _keys(record: CaseRecord) -> tuple[tuple[str, str], ...]:
    """What a record can share with another one, in the order of REASONS."""
    values = (record.bytes_sha256, record.pixels_sha256, record.patient_id)
    return tuple(zip(REASONS, values, strict=True))


def _parse_record(line: str) -> CaseRecord:
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    record = CaseRecord(**fields)
    texts = (record.case_id, record.patient_id)
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("case_id and patient_id must be text")
    if type(record.label) is not int or record.label not in (NEGATIVE, POSITIVE):
        raise ValueError(f"label {record.label!r}")
    for value in (record.bytes_sha256, record.pixels_sha256):
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise ValueError(f"hash {value!r}")
    attributes = record.attributes
    if not isinstance(attributes, dict) or not all(isinstance(v, str) for v in attributes.values()):
        raise ValueError("attributes must be text")
    return record
