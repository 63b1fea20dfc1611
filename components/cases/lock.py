"""Locks the test split of a source as a case set."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from components.baselines.case_set import CaseSet, SeenCase, lock_cases, save_case_set
from components.cases.case import BadCase, Source
from components.cases.images import bytes_sha256, pixels_sha256
from components.errors import IntegrityError, SourceError


def lock_source(source: Source, path: Path, *, author: str, reason: str) -> CaseSet:
    """Writes version 1 of the case set at `path`.

    Raises:
      IntegrityError: a case set is locked there already.
      SourceError: a case cannot be used; a case set has no place for it.
    """
    if path.exists():
        raise IntegrityError(f"{path}: a case set is locked here already; amend it instead")
    case_set = lock_cases(
        _seen(source),
        name=source.name,
        author=author,
        reason=reason,
        date=datetime.now(timezone.utc).date().isoformat(),
        # What was locked, not where it lay on one machine.
        source=Path(source.spec).name,
    )
    save_case_set(case_set, path)
    return case_set


def _seen(source: Source) -> Iterator[SeenCase]:
    for shard in source.shards("test"):
        for case in source.read(shard):
            if isinstance(case, BadCase):
                raise SourceError(f"{case.where}: {case.reason}; remove it before locking")
            yield SeenCase(
                case_id=case.case_id,
                label=case.label,
                bytes_sha256=bytes_sha256(case.image),
                pixels_sha256=pixels_sha256(case.image),
                patient_id=case.patient_id,
                attributes=dict(case.attributes),
            )
