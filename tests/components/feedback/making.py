"""Opinions for tests, each saying only what matters there."""

from pathlib import Path
from typing import Any

from components.feedback.opinion import (
    JudgedCase,
    Opinion,
    OpinionDraft,
    Predicted,
    judged_cases,
    new_opinion,
)
from components.feedback.record import Record

AT = "2026-01-31T10:15:00.000Z"
PIXELS = "cd" * 32


def draft(
    case_id: str = "case-1",
    label: str = "positive",
    by: str = "Dr. One",
    *,
    positive: bool | None = True,
    score: float = 0.75,
    model: str = "version 3",
    predicted_at: str = AT,
    **given: Any,
) -> OpinionDraft:
    predicted = Predicted(score, positive, model, predicted_at)
    rest = {"at": AT, "pixels_sha256": PIXELS, **given}
    return OpinionDraft(by=by, case_id=case_id, label=label, predicted=predicted, **rest)


def opinion(*given: Any, **further: Any) -> Opinion:
    return new_opinion(draft(*given, **further), seq=1, version=1, previous="0" * 64)


def judged(*opinions: Opinion, readers: int = 2) -> tuple[JudgedCase, ...]:
    return judged_cases(opinions, readers=readers)


def record(folder: Path) -> Record:
    return Record(folder / "feedback.jsonl")


def filled(folder: Path) -> Record:
    """Three opinions: two of one reader on a case, one of another with a nonce and a note."""
    found = record(folder)
    found.append(draft(label="unsure", score=1e-7))
    found.append(draft(label="negative", positive=None, pixels_sha256=None))
    found.append(draft("ärztin/2", by="Dr. Two", note="nodule, left", nonce="n" * 8, source="http"))
    return found
