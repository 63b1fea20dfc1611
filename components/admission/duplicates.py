"""The same radiograph resized, compressed again, cropped a little, mirrored or inverted: where.

Equal pictures are not here: components/cases finds them by the hash of their samples.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.admission.columns import CaseColumns, SeenCase, seen_at
from components.admission.likeness import WAYS, near_pairs
from components.records.case import has_patient
from components.records.errors import LeakageFound
from components.records.text import spell

LISTED = 1000  # pairs that are kept
NAMED = 3  # pairs that a finding spells out
# Split of the one and of the other, as they stand in an index.
BETWEEN = {
    ("test", "train"): "between training data and case set",
    ("test", "tune"): "between tuning data and case set",
    ("train", "tune"): "between training and tuning data",
    ("train", "train"): "within the training data",
    ("tune", "tune"): "within the tuning data",
    ("test", "test"): "within the case set",
}


@dataclass(frozen=True)
class NearDuplicate:
    """Two cases whose pictures differ in `distance` of 256 bits, the other turned as `way` says."""

    one: SeenCase
    other: SeenCase
    distance: int
    way: str

    @property
    def between(self) -> tuple[str, str]:
        return tuple(sorted((self.one.split, self.other.split)))  # type: ignore[return-value]

    @property
    def labels_differ(self) -> bool:
        return self.one.record.label != self.other.record.label

    @property
    def patients_differ(self) -> bool:
        one, other = self.one.record, self.other.record
        return has_patient(one) and has_patient(other) and one.patient_id != other.patient_id

    @property
    def stops(self) -> bool:
        """Whether it is in two splits or contradicts itself, which no run should rest on."""
        return self.one.split != self.other.split or self.labels_differ

    @property
    def order(self) -> tuple[Any, ...]:
        """The worst first."""
        return (
            not self.labels_differ,
            list(BETWEEN).index(self.between),
            self.distance,
            self.one.record.case_id,
            self.other.record.case_id,
        )

    @property
    def words(self) -> str:
        one, other = self.one.record, self.other.record
        way = "" if self.way == WAYS[0] else f"{self.way}, "
        return f"{spell(one.case_id)} and {spell(other.case_id)} ({way}{self.distance} bits)"

    def document(self) -> dict[str, Any]:
        return {
            "cases": [_described(self.one), _described(self.other)],
            "distance": self.distance,
            "way": self.way,
            "labels_differ": self.labels_differ,
            "patients_differ": self.patients_differ,
        }


def find_near_duplicates(folders: Sequence[Path], columns: CaseColumns) -> list[NearDuplicate]:
    """Every pair of nearly equal pictures, the worst first; equal ones are left out."""
    places = np.flatnonzero(columns.hashes.any(axis=1))
    pairs = near_pairs(columns.hashes[places])
    seen = seen_at(folders, {int(places[place]) for pair in pairs for place in pair[:2]})
    found = [
        NearDuplicate(seen[places[pair.first]], seen[places[pair.second]], pair.distance, pair.way)
        for pair in pairs
    ]
    differing = (
        pair for pair in found if pair.one.record.pixels_sha256 != pair.other.record.pixels_sha256
    )
    return sorted(differing, key=lambda pair: pair.order)


def refuse_near_duplicates(found: Sequence[NearDuplicate]) -> None:
    """Raises LeakageFound where a pair stands in two splits or under both labels."""
    if stopping := [pair for pair in found if pair.stops]:
        raise LeakageFound(
            f"{'; '.join(clauses(stopping, 0))}; nothing was trained: remove one of each pair, or "
            "set `near_duplicates: report` in the policy"
        )


def clauses(found: Sequence[NearDuplicate], without_hash: int) -> list[str]:
    """What a report must carry: pairs by where they stand, contradictions, and who has no hash."""
    by_place = {
        f"of nearly equal pictures {words}": [pair for pair in found if pair.between == between]
        for between, words in BETWEEN.items()
    }
    by_place["of nearly equal pictures under both labels"] = [p for p in found if p.labels_differ]
    by_place["of nearly equal pictures of two patients"] = [p for p in found if p.patients_differ]
    small = (
        f"{without_hash} pictures are below 64 x 64 pixels or have no contrast: they were compared "
        "exactly, and a changed copy of one would not be found"
    )
    return [
        *(_listed(words, pairs) for words, pairs in by_place.items() if pairs),
        *([small] if without_hash else []),
    ]


def _described(seen: SeenCase) -> dict[str, Any]:
    record = seen.record
    return {
        "case_id": record.case_id,
        "patient_id": record.patient_id,
        "label": record.label,
        "split": seen.split,
        "shard": seen.shard,
        "line": seen.line,
    }


def _listed(what: str, pairs: Iterable[NearDuplicate]) -> str:
    words = [pair.words for pair in pairs]
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    count = f"{len(words)} pair{'' if len(words) == 1 else 's'}"
    return f"{count} {what}: {', '.join(words[:NAMED])}{more}"
