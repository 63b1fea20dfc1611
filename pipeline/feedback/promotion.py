"""What each promotion sent where, kept for ever: what was sent once is never sent again.

The record is written before anything can be trained on, with the very body that its ledger entry
will have. So a promotion that was cut short is one whose body is not in the ledger, and what is on
disk says whether it is finished or taken back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from components.baselines.case_set import LockedCase
from components.feedback.sides import KnownSides
from components.lineage.training import TrainingRow
from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_json, write_atomically
from components.records.ledger.ledger import Entry

TRAINING_SIDE, CASE_SET_SIDE = "training", "case set"


@dataclass(frozen=True)
class Sent:
    """A case that was sent to a side.

    Attributes:
      side: training or case set.
    """

    case_id: str
    patient_id: str
    label: str
    pixels_sha256: str
    bytes_sha256: str
    side: str
    sentinel: bool


@dataclass(frozen=True)
class Promotion:
    """Attributes:
    body: of the ledger's entry.
    span: the folder of the span, absolute; None where there is none.
    """

    promotion_id: str
    at: str
    by: str
    body: dict[str, Any]
    span: str | None
    cases: tuple[Sent, ...]

    @property
    def request(self) -> dict[str, str]:
        return {"at": self.at, "by": self.by, "reason": self.body["reason"]}


def known_cases(
    cases: Iterable[Sent | LockedCase | TrainingRow], *, names: bool = True
) -> KnownSides:
    """These cases, by picture and bytes, and where `names` is said by id and patient too."""
    listed = list(cases)
    return KnownSides(
        case_ids=frozenset(case.case_id for case in listed if names),
        patients=frozenset(case.patient_id for case in listed if names),
        pixels=frozenset(case.pixels_sha256 for case in listed),
        bytes=frozenset(case.bytes_sha256 for case in listed),
    )


def save_promotion(promotion: Promotion, folder: Path) -> None:
    document = asdict(promotion)
    document["record_sha256"] = sha256_json(document)
    write_atomically(folder / f"{promotion.promotion_id}.json", canonical_json(document) + b"\n")


def load_promotions(folder: Path) -> tuple[Promotion, ...]:
    """Every promotion on record, oldest first; IntegrityError where a record was altered."""
    return tuple(_load(path) for path in sorted(folder.glob("*.json")))


def unfinished(promotions: Sequence[Promotion], entries: Iterable[Entry]) -> list[Promotion]:
    """Those that the ledger does not know.

    Raises:
      IntegrityError: the ledger knows of one whose record is gone, so what it sent is not known.
    """
    recorded = [dict(entry.body) for entry in entries if entry.kind == "promotion"]
    known = [promotion.body for promotion in promotions]
    for body in recorded:
        if body not in known:
            raise IntegrityError(
                f"the ledger knows a promotion of {len(body['cases'])} cases to {body['span']}, "
                "but feedback/promotions has no record of it; restore that folder from a copy"
            )
    return [promotion for promotion in promotions if promotion.body not in recorded]


def known_on(side: str, promotions: Iterable[Promotion]) -> KnownSides:
    return known_cases(case for one in promotions for case in one.cases if case.side == side)


def _load(path: Path) -> Promotion:
    try:
        document = orjson.loads(path.read_bytes())
        sha256 = document.pop("record_sha256")
        cases = tuple(Sent(**case) for case in document.pop("cases"))
        found = Promotion(**document, cases=cases)
        sound = sha256_json(asdict(found)) == sha256 and found.promotion_id == path.stem
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise IntegrityError(
            f"{path}: was altered, so what was promoted before is not known; restore it from a copy"
        )
    return found
