"""The fixed historical cases the gate judges on, locked by content: ids, labels and hashes.

The Merkle root (components/records/merkle.py) is taken over the canonical JSON of each case in
the order of case_id, so any change to any case changes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.baselines.case_file import read_case_file, refuse_duplicates
from components.baselines.locked_case import LockedCase, canonical_case
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.files import sha256_json, write_atomically
from components.records.merkle import merkle_root
from components.records.rows import json_with_lines
from components.records.text import first_few

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SeenCase:
    """A case as its source shows it now."""

    case_id: str
    label: int
    bytes_sha256: str
    pixels_sha256: str
    patient_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseSet:
    """One version of a case set; `cases` are always in the order of case_id.

    Attributes:
      parent: Merkle root of the version this one amends, None for the first.
      source: the data source the cases came from, as a person would type it.
      merkle_root: hex, over `cases`.
      retired: ids that this or an earlier version left out, in order; the source may still hold
        them.
      relabelled: ids whose label stands here, in order; the source may still say another.
    """

    name: str
    version: int
    parent: str | None
    author: str
    reason: str
    date: str
    source: str
    cases: tuple[LockedCase, ...]
    merkle_root: str
    retired: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.cases, key=lambda case: case.case_id))
        object.__setattr__(self, "cases", ordered)


def cases_root(cases: Iterable[LockedCase]) -> str:
    """Merkle root (hex) of `cases`, in whatever order they come."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    return merkle_root(canonical_case(case) for case in ordered)


def lock_cases(
    seen: Iterable[SeenCase],
    *,
    name: str,
    author: str,
    reason: str,
    date: str,
    source: str,
    sentinels: Iterable[str] = (),
) -> CaseSet:
    """Version 1 of a case set, from what a source shows now.

    Args:
      date: ISO 8601, such as 2025-03-31.
      sentinels: ids of never-miss cases.

    Raises:
      NothingEvaluated: no case.
      IntegrityError: an id stands twice, or a sentinel is not among the cases.
    """
    never_miss = frozenset(sentinels)
    cases = tuple(
        LockedCase(
            case_id=case.case_id,
            patient_id=case.patient_id,
            label=case.label,
            bytes_sha256=case.bytes_sha256,
            pixels_sha256=case.pixels_sha256,
            attributes=dict(case.attributes),
            sentinel=case.case_id in never_miss,
        )
        for case in seen
    )
    if not cases:
        raise NothingEvaluated(f"case set {name}: got no case to lock, wanted at least one")
    refuse_duplicates((case.case_id for case in cases), where=f"case set {name}")
    if unknown := never_miss - {case.case_id for case in cases}:
        raise IntegrityError(
            f"case set {name}: sentinels not among its cases: {first_few(unknown)}"
        )
    return CaseSet(name, 1, None, author, reason, date, source, cases, cases_root(cases))


def save_case_set(case_set: CaseSet, path: Path) -> None:
    """Writes a case set, one case per line, atomically."""
    write_atomically(path, case_set_json(case_set))


def case_set_json(case_set: CaseSet) -> bytes:
    """The content of a case set's file."""
    header = _header(case_set)
    document = {**header, "header_sha256": sha256_json(header)}
    return json_with_lines(document, "cases", map(canonical_case, case_set.cases))


def load_case_set(path: Path) -> CaseSet:
    """The case set in `path`, unaltered since it was saved.

    Raises:
      IntegrityError: unreadable, against schemas/case_set.json, an id stands twice, or a case or
        the header differs from what its hash says.
    """
    found = read_case_file(path)
    named = {key: found.header[key] for key in _HEADER}
    named |= {key: tuple(found.header.get(key, ())) for key in _LISTS}
    case_set = CaseSet(**named, cases=found.cases)
    if found.root != case_set.merkle_root:
        raise IntegrityError(
            f"{path}: the cases were edited: their Merkle root is {found.root[:12]}..., "
            f"the file says {case_set.merkle_root[:12]}...; restore the file from version control"
        )
    header = {key: value for key, value in found.header.items() if key != "header_sha256"}
    if sha256_json(header) != found.header["header_sha256"]:
        raise IntegrityError(
            f"{path}: the header (name, version, author, reason, ...) was edited: it does not "
            "match header_sha256; restore the file from version control"
        )
    return case_set


_HEADER = ("name", "version", "parent", "author", "reason", "date", "source", "merkle_root")
_LISTS = ("retired", "relabelled")  # absent from the file where empty


def _header(case_set: CaseSet) -> dict[str, Any]:
    named = {key: getattr(case_set, key) for key in _HEADER}
    lists = {key: list(getattr(case_set, key)) for key in _LISTS if getattr(case_set, key)}
    return {"schema_version": SCHEMA_VERSION, **named, **lists}
