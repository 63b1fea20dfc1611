"""A case set's file: a header, then each case as a line of canonical JSON.

A line that is canonical is its own leaf of the Merkle tree, so such a file is read in one pass and
a million cases in seconds. A file that somebody reformatted says the same and is read by the slow
way: as one JSON document that jsonschema checks.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from components.baselines.locked_case import LockedCase, RowReader, canonical_case, canonical_row
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.merkle import merkle_root
from components.records.rows import OtherLayout, split_lines
from components.records.schema import check_document, parse_json, read_json
from components.records.text import first_few

SCHEMA = "case_set"


@dataclass(frozen=True)
class CaseFile:
    """What a file holds, held against the schema and nothing else.

    Attributes:
      header: every key but `cases`.
      cases: in the order of case_id.
      root: Merkle root of `cases`.
    """

    header: dict[str, Any]
    cases: tuple[LockedCase, ...]
    root: str


def read_case_file(path: Path) -> CaseFile:
    """Raises IntegrityError: unreadable, against schemas/case_set.json, or an id stands twice."""
    with _no_garbage_collection():
        try:
            found = _read_lines(path)
        except (OSError, OtherLayout, UnicodeDecodeError):
            found = _read_document(path)  # which finds the words, where the file is at fault
    try:
        canonical_json(found.header)
    except UnicodeEncodeError as error:
        raise IntegrityError(f"{path}: got text that is not Unicode: {error}") from None
    return found


def _read_lines(path: Path) -> CaseFile:
    cases: list[LockedCase] = []
    with path.open("rb") as file:
        head, lines = split_lines(file, "cases")
        document = parse_json(head, SCHEMA, where=str(path))
        root = merkle_root(_leaves(lines, cases, document, path))
    del document["cases"]
    return CaseFile(document, tuple(cases), root)


def _leaves(
    lines: Iterator[bytes], cases: list[LockedCase], document: dict[str, Any], path: Path
) -> Iterator[bytes]:
    """The lines as they are, while the cases in them are added to `cases`."""
    reader, last = RowReader(), ""
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise OtherLayout from None
        # Also the proof that no key stands twice, and that there is one spelling of each case.
        if canonical_row(row) != line:
            raise OtherLayout
        case = reader.case(row)
        if case is None:
            raise _fault(row, len(cases), document, path)
        if case.case_id <= last:
            raise OtherLayout
        last = case.case_id
        cases.append(case)
        yield line


def _read_document(path: Path) -> CaseFile:
    document = read_json(path, SCHEMA)
    reader, cases = RowReader(), []
    rows = document.pop("cases")
    for place, row in enumerate(rows):
        case = reader.case(row)
        if case is None:
            raise _fault(row, place, {**document, "cases": []}, path)
        cases.append(case)
    refuse_duplicates((case.case_id for case in cases), where=str(path))
    cases.sort(key=lambda case: case.case_id)
    root = merkle_root(canonical_case(case) for case in cases)
    return CaseFile(document, tuple(cases), root)


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
