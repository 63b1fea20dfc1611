"""A case set in numbers: what a person wants to know before trusting a verdict on it."""

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from components.baselines.case_set import CaseSet


@dataclass(frozen=True)
class Count:
    """Cases of one label each."""

    positives: int
    negatives: int

    @property
    def cases(self) -> int:
        return self.positives + self.negatives


@dataclass(frozen=True)
class CaseSetSummary:
    """Counts of a case set.

    Attributes:
      images_per_patient: number of images to the number of patients with that many.
      sentinels: ids, in order.
      attributes: name to value to counts, both in order; None counts the cases without it.
    """

    counts: Count
    patients: int
    images_per_patient: dict[int, int]
    sentinels: tuple[str, ...]
    attributes: dict[str, dict[str | None, Count]]

    def as_json(self) -> dict[str, Any]:
        """The counts for machines; cases without an attribute stand under "without"."""
        return {
            "cases": self.counts.cases,
            **asdict(self.counts),
            "patients": self.patients,
            "images_per_patient": {str(n): times for n, times in self.images_per_patient.items()},
            "sentinels": list(self.sentinels),
            "attributes": {
                name: {
                    "values": {v: asdict(count) for v, count in values.items() if v is not None},
                    "without": asdict(values.get(None, Count(0, 0))),
                }
                for name, values in self.attributes.items()
            },
        }


def summarise(case_set: CaseSet) -> CaseSetSummary:
    """Counts the cases of a case set."""
    cases = case_set.cases
    positives = sum(case.label for case in cases)
    patients = Counter(case.patient_id for case in cases)
    names = sorted({name for case in cases for name in case.attributes})
    return CaseSetSummary(
        counts=Count(positives, len(cases) - positives),
        patients=len(patients),
        images_per_patient=dict(sorted(Counter(patients.values()).items())),
        sentinels=tuple(case.case_id for case in cases if case.sentinel),
        attributes={name: _values(case_set, name) for name in names},
    )


def _values(case_set: CaseSet, name: str) -> dict[str | None, Count]:
    counts = Counter((case.attributes.get(name), case.label) for case in case_set.cases)
    values = sorted({value for value, _ in counts}, key=_natural)
    return {value: Count(counts[value, 1], counts[value, 0]) for value in values}


def _natural(value: str | None) -> tuple[bool, list[tuple[bool, int, str]]]:
    """Sorts 2-5 before 12-17, numbers before words, and the absence of a value last."""
    parts = re.findall(r"\d+|\D+", value or "")
    return value is None, [
        (False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts
    ]
