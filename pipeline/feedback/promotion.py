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

from components.feedback.sides import KnownSides
from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_json, write_atomically
from components.records.ledger.entry import Entry

TRAINING, CASE_SET = "training", "case set"


@dataclass(frozen=True)
class Sent:
    """A case that was sent to a side.

    Attributes:
      side: training or case set.
      sentinel: proposed as one.
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
    def proposes(self) -> bool:
        return any(case.side == CASE_SET for case in self.cases)

    def known(self, side: str) -> KnownSides:
        """What it sent to a side."""
        sent = [case for case in self.cases if case.side == side]
        return KnownSides(
            frozenset(case.case_id for case in sent),
            frozenset(case.patient_id for case in sent),
            frozenset(case.pixels_sha256 for case in sent),
            frozenset(case.bytes_sha256 for case in sent),
        )


def save_promotion(promotion: Promotion, folder: Path) -> None:
    document = _document(promotion)
    document["record_sha256"] = sha256_json(document)
    write_atomically(_path(promotion, folder), canonical_json(document) + b"\n")


def forget_promotion(promotion: Promotion, folder: Path) -> None:
    """Removes the record of a promotion that nothing came of."""
    _path(promotion, folder).unlink(missing_ok=True)


def load_promotions(folder: Path) -> tuple[Promotion, ...]:
    """Every promotion on record, oldest first.

    Raises:
      IntegrityError: a record was altered.
    """
    return tuple(_load(path) for path in sorted(folder.glob("*.json")))


def unfinished(promotions: Sequence[Promotion], entries: Iterable[Entry]) -> list[Promotion]:
    """Those that the ledger does not know.

    Raises:
      IntegrityError: the ledger knows of one whose record is gone, so what it sent is not known.
    """
    told = [dict(entry.body) for entry in entries if entry.kind == "promotion"]
    known = [promotion.body for promotion in promotions]
    for body in told:
        if body not in known:
            raise IntegrityError(
                f"the ledger knows a promotion of {len(body['cases'])} cases to {body['span']}, "
                "but feedback/promotions has no record of it; restore that folder from a copy"
            )
    return [promotion for promotion in promotions if promotion.body not in told]


def known_on(side: str, promotions: Iterable[Promotion]) -> KnownSides:
    """What all promotions sent to a side."""
    known = KnownSides()
    for promotion in promotions:
        known |= promotion.known(side)
    return known


def _path(promotion: Promotion, folder: Path) -> Path:
    return folder / f"{promotion.promotion_id}.json"


def _document(promotion: Promotion) -> dict[str, Any]:
    return {**vars(promotion), "cases": [asdict(case) for case in promotion.cases]}


def _load(path: Path) -> Promotion:
    try:
        document = orjson.loads(path.read_bytes())
        sha256 = document.pop("record_sha256")
        cases = tuple(Sent(**case) for case in document.pop("cases"))
        found = Promotion(**document, cases=cases)
        sound = sha256_json(_document(found)) == sha256 and found.promotion_id == path.stem
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise IntegrityError(
            f"{path}: was altered, so what was promoted before is not known; restore it from a copy"
        )
    return found
