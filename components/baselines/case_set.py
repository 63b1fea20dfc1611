"""The fixed historical cases the gate judges on, locked by content: ids, labels and hashes.

The Merkle root (components/records/merkle.py) is taken over the canonical JSON of each case in
the order of case_id, so any change to any case changes it.

The file is a header, then each case as a line of canonical JSON. A line that is canonical is its
own leaf of the Merkle tree, so such a file is read in one pass and a million cases in seconds. A
file that somebody reformatted says the same and is read by the slow way: as one JSON document that
jsonschema checks. Of a canonical one, jsonschema sees a row that fails a few comparisons, alone.
"""

import bisect
import difflib
import gc
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from components.records.case import CaseRecord, canonical_row, is_case_row
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.files import sha256_json, write_atomically
from components.records.merkle import merkle_root
from components.records.rows import OtherLayout, json_with_lines, split_lines
from components.records.schema import check_document, parse_json, read_json
from components.records.text import first_few, spell

LABELS = ("negative", "positive")  # by label
SHARED = 10_000  # combinations of attributes that are kept once for all cases that have them


@dataclass(frozen=True, slots=True)
class LockedCase(CaseRecord):
    """A case as it was locked.

    Attributes:
      sentinel: never to be missed by a model that follows one that got it right.
    """

    sentinel: bool = False

    @classmethod
    def of(cls, case: CaseRecord) -> "LockedCase":
        return cls(**{name: getattr(case, name) for name in CaseRecord.__dataclass_fields__})


def parse_case(row: Any) -> LockedCase | None:
    """The case in a row, None where the row is not one."""
    if not is_case_row(row, LockedCase) or type(row["sentinel"]) is not bool:
        return None
    return LockedCase(**{**row, "attributes": _kept_once(tuple(row["attributes"].items()))})


# Equal attributes become one mapping, to keep a million cases small.
@lru_cache(SHARED)
def _kept_once(attributes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {sys.intern(name): sys.intern(value) for name, value in attributes}


SCHEMA, SCHEMA_VERSION = "case_set", 1
NEAR = (5, 500)  # how many ids before and after a misspelt one are compared with it


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
      reading: what a person said of how the source's names are read; empty where nothing.
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
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.cases, key=lambda case: case.case_id))
        object.__setattr__(self, "cases", ordered)


def cases_root(cases: Iterable[LockedCase]) -> str:
    """Merkle root (hex) of `cases`, in whatever order they come."""
    ordered = sorted(cases, key=lambda case: case.case_id)
    return merkle_root(case.line() for case in ordered)


def lock_cases(
    seen: Iterable[CaseRecord],
    *,
    name: str,
    author: str,
    reason: str,
    date: str,
    source: str,
    reading: Mapping[str, Any] | None = None,
) -> CaseSet:
    """Version 1 of a case set, from what a source shows now.

    Args:
      date: ISO 8601, such as 2025-03-31.

    Raises:
      NothingEvaluated: no case.
      IntegrityError: an id stands twice.
    """
    cases = tuple(map(LockedCase.of, seen))
    if not cases:
        raise NothingEvaluated(f"case set {name}: got no case to lock, wanted at least one")
    refuse_duplicates((case.case_id for case in cases), where=f"case set {name}")
    root = cases_root(cases)
    return CaseSet(name, 1, None, author, reason, date, source, cases, root, reading=reading or {})


def save_case_set(case_set: CaseSet, path: Path) -> None:
    """Writes a case set, one case per line, atomically."""
    write_atomically(path, case_set_json(case_set))


def case_set_json(case_set: CaseSet) -> bytes:
    """The content of a case set's file."""
    named = {key: getattr(case_set, key) for key in _HEADER}
    lists = {key: list(getattr(case_set, key)) for key in _LISTS if getattr(case_set, key)}
    said = {"reading": case_set.reading} if case_set.reading else {}
    header = {"schema_version": SCHEMA_VERSION, **named, **lists, **said}
    document = {**header, "header_sha256": sha256_json(header)}
    return json_with_lines(document, "cases", (case.line() for case in case_set.cases))


def load_case_set(path: Path) -> CaseSet:
    """The case set in `path`, unaltered since it was saved.

    Raises:
      IntegrityError: unreadable, against schemas/case_set.json, an id stands twice, or a case or
        the header differs from what its hash says.
    """
    with _no_garbage_collection():
        try:
            header, cases, root = _read_lines(path)
        except (OSError, OtherLayout, UnicodeDecodeError):
            header, cases, root = _read_document(path)  # finds the words for a file at fault
    if root != header["merkle_root"]:
        raise IntegrityError(
            f"{path}: the cases were edited: their Merkle root is {root[:12]}..., "
            f"the file says {header['merkle_root'][:12]}...; restore the file from version control"
        )
    try:
        stated = sha256_json({key: header[key] for key in header if key != "header_sha256"})
    except UnicodeEncodeError as error:
        raise IntegrityError(f"{path}: got text that is not Unicode: {error}") from None
    if stated != header["header_sha256"]:
        raise IntegrityError(
            f"{path}: the header (name, version, author, reason, ...) was edited: it does not "
            "match header_sha256; restore the file from version control"
        )
    named: dict[str, Any] = {key: header[key] for key in _HEADER}
    named |= {key: tuple(header.get(key, ())) for key in _LISTS}
    return CaseSet(**named, cases=tuple(cases), reading=header.get("reading", {}))


CaseFile = tuple[dict[str, Any], list[LockedCase], str]  # every other key, cases, Merkle root


def _read_lines(path: Path) -> CaseFile:
    cases: list[LockedCase] = []
    with path.open("rb") as file:
        head, lines = split_lines(file, "cases")
        document = parse_json(head, SCHEMA, where=str(path))
        root = merkle_root(_leaves(lines, cases, document, path))
    del document["cases"]
    return document, cases, root


def _leaves(
    lines: Iterator[bytes], cases: list[LockedCase], document: dict[str, Any], path: Path
) -> Iterator[bytes]:
    """The lines as they are, while the cases in them are added to `cases`."""
    last = ""
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise OtherLayout from None
        # Also the proof that no key stands twice, and that there is one spelling of each case.
        if canonical_row(row) != line:
            raise OtherLayout
        case = parse_case(row)
        if case is None:
            raise _fault(row, len(cases), document, path)
        if case.case_id <= last:
            raise OtherLayout
        last = case.case_id
        cases.append(case)
        yield line


def _read_document(path: Path) -> CaseFile:
    document = read_json(path, SCHEMA)
    cases = []
    rows = document.pop("cases")
    for place, row in enumerate(rows):
        case = parse_case(row)
        if case is None:
            raise _fault(row, place, {**document, "cases": []}, path)
        cases.append(case)
    refuse_duplicates((case.case_id for case in cases), where=str(path))
    cases.sort(key=lambda case: case.case_id)
    root = merkle_root(case.line() for case in cases)
    return document, cases, root


def _fault(row: Any, place: int, document: dict[str, Any], path: Path) -> IntegrityError:
    """The error for a row that is no case, in the schema's words."""
    try:
        check_document(
            {**document, "cases": [row]}, SCHEMA, locate=lambda _: "", error=IntegrityError
        )
    except IntegrityError as error:
        return IntegrityError(f"{path}{str(error).replace('cases[0]', f'cases[{place}]', 1)}")
    # JSON Schema takes 1.0 for 1, and a line break after a hash for its end.
    return IntegrityError(
        f"{path}: cases[{place}]: got {row['label']!r} as label and hashes "
        f"{row['bytes_sha256']!r}, {row['pixels_sha256']!r}; wanted 0 or 1 and 64 hex digits"
    )


def refuse_duplicates(ids: Iterable[str], *, where: str) -> None:
    """Raises IntegrityError naming the ids that stand more than once."""
    seen: set[str] = set()
    twice = {name for name in ids if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
    if twice:
        raise IntegrityError(f"{where}: case ids that stand twice: {first_few(twice)}")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spares the collector, for a while, the search for cycles among millions of new objects."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


_HEADER = ("name", "version", "parent", "author", "reason", "date", "source", "merkle_root")
_LISTS = ("retired", "relabelled")  # absent from the file where empty


def nearest(word: str, ids: Iterable[str]) -> str:
    """The clause "; did you mean 'x'?", or nothing; quick among a million ids."""
    ordered = sorted(ids)
    plain = _without_leading_zeros(word)
    for name in ordered:
        if _without_leading_zeros(name) == plain:
            return f"; did you mean '{spell(name)}'?"
    place = bisect.bisect_left(ordered, word)
    for reach in NEAR:
        around = ordered[max(0, place - reach) : place + reach]
        if close := difflib.get_close_matches(word, around, n=1):
            return f"; did you mean '{spell(close[0])}'?"
    return ""


def _without_leading_zeros(case_id: str) -> str:
    """case-0012 and case-12 are the same to whoever types them."""
    return re.sub(r"0+(?=\d)", "", case_id)


def verify_cases(case_set: CaseSet, seen: Iterable[CaseRecord]) -> None:
    """Raises IntegrityError unless `seen` are the locked cases, each once, in any order.

    A case is the same where label, patient and attributes are equal and the file's bytes or the
    decoded pixels are: re-encoding without loss changes the bytes only.
    """
    known = {case.case_id: case for case in case_set.cases}
    faults: dict[str, list[str]] = {}
    found: set[str] = set()
    for case in seen:
        if fault := _differs(known.get(case.case_id), case, case.case_id in found):
            faults.setdefault(fault, []).append(case.case_id)
        found.add(case.case_id)
    if missing := known.keys() - found:
        faults["missing"] = list(missing)
    if faults:
        details = "; ".join(f"{what}: {first_few(faults[what])}" for what in sorted(faults))
        raise IntegrityError(
            f"case set {case_set.name} version {case_set.version}: {details}; wanted exactly the "
            f"{len(known)} locked cases; restore the data, or amend the case set by name"
        )


def _differs(kept: LockedCase | None, case: CaseRecord, again: bool) -> str | None:
    """What keeps a case from being the one that was kept."""
    if kept is None:
        return "additional"
    if again:
        return "duplicated"
    if case.label != kept.label:
        return "relabelled"
    if case.patient_id != kept.patient_id:
        return "other patient"
    if dict(case.attributes) != dict(kept.attributes):
        return "other attributes"
    if case.bytes_sha256 != kept.bytes_sha256 and case.pixels_sha256 != kept.pixels_sha256:
        return "altered pixels"
    return None
