"""Where a hash stands: in the ledger, in ML Metadata, among training cases and locked cases."""

import re
from collections.abc import Iterator

from components.lineage.training_search import Sought, search
from components.records.errors import ConfigError
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.questions.locked import locked_sets
from pipeline.evidence.subject import Evidence

LEAST, MOST = 8, 500  # hex digits that are asked for; rows of ML Metadata that are listed
_PICTURES = ("bytes_sha256", "pixels_sha256")


def find_hash(evidence: Evidence, text: str) -> Answer:
    """Everything that is recorded under a hash, or under its beginning.

    Args:
      text: hex digits; a picture's hash is only found in whole.

    Raises:
      ConfigError: it is no hash.
    """
    wanted = text.lower()
    if not LEAST <= len(wanted) <= 64 or not re.fullmatch("[0-9a-f]+", wanted):
        raise ConfigError(f"hash {text!r}: wanted {LEAST} to 64 hex digits")
    ledger, rows = tuple(_in_ledger(evidence, wanted)), _in_store(evidence, wanted)
    cases = tuple(_cases(evidence, wanted)) if len(wanted) == 64 else ()
    notes = [] if len(wanted) == 64 else ["Pictures are only looked for by a whole hash."]
    if len(rows) > MOST:
        notes.append(f"Only the first {MOST} of ML Metadata's rows are listed.")
    return Answer(
        question=f"where is {wanted} recorded",
        facts={"hash": wanted, "found": len(ledger) + len(rows) + len(cases)},
        tables=(
            Table("ledger", "In the ledger", ("entry", "kind", "at", "key", "run"), ledger, _LINKS),
            Table(
                "metadata",
                "In ML Metadata",
                ("type", "property", "run", "artifact"),
                tuple(rows[:MOST]),
                _LINKS,
            ),
            Table(
                "cases",
                "Cases with this picture",
                ("case", "hash", "where"),
                cases,
                {"case": "case"},
            ),
        ),
        notes=tuple(notes),
    )


_LINKS = {"run": "run", "entry": "entry"}


def _in_ledger(evidence: Evidence, wanted: str) -> Iterator[tuple[Value, ...]]:
    for entry in evidence.entries:
        named = {**entry.body, "entry_sha256": entry.entry_sha256}
        for key, value in named.items():
            if isinstance(value, str) and key.endswith(_HASHES) and value.startswith(wanted):
                yield entry.seq, entry.kind, entry.at, key, entry.body.get("run_id")


_HASHES = ("sha256", "_root")


def _in_store(evidence: Evidence, wanted: str) -> list[tuple[Value, ...]]:
    rows = evidence.store.query(
        "SELECT t.name AS type, p.name AS property, a.id, r.string_value AS run_id "
        "FROM ArtifactProperty p JOIN Artifact a ON a.id = p.artifact_id "
        "JOIN Type t ON t.id = a.type_id "
        "LEFT JOIN ArtifactProperty r ON r.artifact_id = a.id AND r.name = 'run_id' "
        "WHERE p.string_value LIKE :wanted ORDER BY a.id, p.name LIMIT :most",
        wanted=f"{wanted}%",
        most=MOST + 1,
    )
    return [(r["type"], r["property"], r["run_id"], r["id"]) for r in rows]


def _cases(evidence: Evidence, wanted: str) -> Iterator[tuple[Value, ...]]:
    sought: list[Sought] = [(kind, wanted) for kind in _PICTURES]
    for root, rows in search(evidence.workspace.training, sought).items():
        for row in rows:
            yield row.case_id, _kind(row, wanted), f"training data {root[:12]}, {row.split}"
    for locked in locked_sets(evidence):
        for case in locked.case_set.cases:
            if wanted in (case.bytes_sha256, case.pixels_sha256):
                where = f"case set {locked.case_set.name} version {locked.case_set.version}"
                yield case.case_id, _kind(case, wanted), where


def _kind(case: object, wanted: str) -> str:
    return "pixels" if getattr(case, "pixels_sha256", None) == wanted else "file"
