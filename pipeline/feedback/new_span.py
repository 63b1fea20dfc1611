"""The next training span, made of promoted cases: whole, checked, and then renamed into its place.

Until the rename no run can see it, and what was written is read back by the reader of spans first.
"""

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from components.cases.images import bytes_sha256, pixels_sha256
from components.cases.span import Span
from components.cases.spans import find_spans
from components.cases.splits import TRAIN_TUNE, assign_split
from components.feedback.sides import KnownSides, Settled
from components.records.case import Case
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_tree, sync, sync_tree, write_atomically
from pipeline.feedback.manifest import ManifestRow, image_path, served_attributes, write_folder
from pipeline.feedback.planning import PromotionPlan

PROMOTION = "promotion.json"  # in a span, says which promotion made it
_SPAN = re.compile(r"\{SPAN(?::(\d+))?\}")


def next_span(pattern: str) -> tuple[int, Path]:
    """Number and folder of the span after the highest.

    Raises:
      SourceError: no span is there, or the pattern is none.
      ConfigError: the pattern is for files, or its digits are used up.
    """
    number = max(find_spans(pattern)) + 1
    path = Path(pattern).expanduser()
    width = _SPAN.search(path.name)
    name = _SPAN.sub(lambda found: str(number).zfill(int(found[1] or 0)), path.name)
    if path.suffix.lower() == ".npz":
        raise ConfigError(
            f"data.source: {pattern} stands for .npz files, and what is promoted is a folder of "
            "images; deliver spans as folders"
        )
    if width and width[1] and len(str(number)) > int(width[1]):
        raise ConfigError(f"data.source: {pattern} has no room for span {number}; widen it")
    return number, (path.parent / name).resolve()


def temporary(span: Path, workspace: Path, promotion_id: str) -> Path:
    """Where a span is written: beside its place, under a name that no pattern finds."""
    return span.parent / f".promoting-{_tag(workspace)}-{promotion_id}"


def clear_leftovers(span: Path, workspace: Path) -> None:
    """Removes what promotions of this workspace left half written beside `span`."""
    for folder in span.parent.glob(f".promoting-{_tag(workspace)}-*"):
        shutil.rmtree(folder)


def write_span(folder: Path, plan: PromotionPlan, document: bytes) -> str:
    """Writes the promoted cases to `folder`, flushed to disk; returns its hash.

    Args:
      document: says in the span which promotion made it.
    """
    rows, images = [], {}
    for case in plan.sides.training:
        served, image = plan.served[case.case_id], plan.images[case.pixels_sha256 or ""]
        assert served.patient_id is not None
        path = image_path(image, "images")
        images[path] = image
        split = plan.taught.split_of.get(served.patient_id)
        rows.append(
            ManifestRow(
                path=path,
                label=case.label,
                case_id=case.case_id,
                patient_id=served.patient_id,
                split=split or assign_split(served.patient_id, TRAIN_TUNE),
                attributes=served_attributes(served.attributes),
            )
        )
    write_folder(folder, rows, images)
    write_atomically(folder / PROMOTION, document)
    sync_tree(folder)
    return sha256_tree(folder)


def rename(folder: Path, span: Path) -> None:
    """Gives the span its name.

    Raises:
      ConfigError: another span has taken it.
    """
    if span.exists():
        raise ConfigError(f"{span}: appeared meanwhile; nothing was promoted: run again")
    try:
        folder.rename(span)
    except OSError as error:
        raise ConfigError(f"{span}: cannot be made: {error.strerror}; run again") from None
    sync(span.parent)


def check_span(
    folder: Path, number: int, cases: Sequence[Settled], forbidden: Sequence[KnownSides]
) -> None:
    """Reads a span back, as a run will, and holds it against what must not be in it.

    Args:
      cases: those that were meant to be written.
      forbidden: what stands in the case sets and in proposals.

    Raises:
      IntegrityError: it has other cases, or one that is judged on or proposed.
    """
    wanted = {case.case_id: case for case in cases}
    span = Span(number, folder.name, folder)
    for split, rows in span.rows().items():
        for case in span.read(split, 0, len(rows)):
            meant = wanted.pop(case.case_id, None) if isinstance(case, Case) else None
            if meant is None or not isinstance(case, Case) or _as_read(case) != _as_meant(meant):
                raise IntegrityError(
                    f"{folder}: reads back as other cases than were promoted; nothing was promoted"
                )
            for known in forbidden:
                if by := known.holds(meant) or (known.knows(meant) and "the patient"):
                    raise IntegrityError(
                        f"{folder}: case '{case.case_id}' must not be trained on: {by} is in the "
                        "case set or proposed for it; nothing was promoted"
                    )
    if wanted:
        raise IntegrityError(f"{folder}: case '{min(wanted)}' is missing; nothing was promoted")


def _as_read(case: Case) -> tuple[object, ...]:
    label = "positive" if case.label else "negative"
    hashes = pixels_sha256(case.image), bytes_sha256(case.image)
    return case.case_id, case.patient_id, label, *hashes


def _as_meant(case: Settled) -> tuple[object, ...]:
    return case.case_id, case.patient_id, case.label, case.pixels_sha256, case.bytes_sha256


def _tag(workspace: Path) -> str:
    return hashlib.sha256(str(workspace).encode()).hexdigest()[:8]
