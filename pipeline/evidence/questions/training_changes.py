"""Which training cases came, went or changed between two runs, from their manifests."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.lineage.record import RunRecord
from components.lineage.training import manifest_path, read_lines
from components.lineage.training_row import TrainingRow, parse_row
from components.records.errors import IntegrityError
from components.records.merkle import merkle_root
from pipeline.evidence.answer import Table, Value
from pipeline.evidence.subject import Evidence

MOST = 1000  # cases that are listed; the counts are of all
COLUMNS = ("case", "change", "first", "second")


@dataclass(frozen=True)
class TrainingChanges:
    """Attributes:
    table: the changed cases, at most MOST of them.
    differences: how many cases differ; None where that is not known.
    note: the same in words.
    """

    table: Table
    differences: int | None
    note: str


def training_changes(evidence: Evidence, old: RunRecord, new: RunRecord) -> TrainingChanges:
    """What differs between the training data of two runs.

    Raises:
      IntegrityError: a manifest was altered or is gone.
    """
    roots = [record.inputs.training_root for record in (old, new)]
    if None in roots:
        note = "Training data are not compared: a run stopped before it had read them."
        return TrainingChanges(_table(()), None, note)
    if roots[0] == roots[1]:
        note = f"Both were trained and tuned on the same {new.inputs.training_cases} cases."
        return TrainingChanges(_table(()), 0, note)
    lines = [_lines(evidence, str(root)) for root in roots]
    first, second = (_by_id(mine - other) for mine, other in (lines, reversed(lines)))
    counts = {"added": 0, "removed": 0, "changed": 0}
    rows: list[tuple[Value, ...]] = []
    for case_id in sorted(first.keys() | second.keys()):
        before, after = first.get(case_id), second.get(case_id)
        change = "changed" if before and after else "added" if after else "removed"
        counts[change] += 1
        if len(rows) < MOST:
            rows.append((case_id, change, _told(before, after), _told(after, before)))
    said = ", ".join(f"{count} {change}" for change, count in counts.items())
    total = sum(counts.values())
    listed = f"; the first {MOST} are listed." if total > MOST else "."
    return TrainingChanges(_table(rows), total, f"Training and tuning cases: {said}{listed}")


def _table(rows: Iterable[tuple[Value, ...]]) -> Table:
    links = {"case": "case"}
    return Table("training_cases", "Training cases", COLUMNS, tuple(rows), links=links)


def _lines(evidence: Evidence, root: str) -> frozenset[bytes]:
    """A manifest's lines, which are those the root stands for: equal cases need no parsing."""
    path = manifest_path(evidence.workspace.training, root)
    lines = tuple(read_lines(path))
    if (got := merkle_root(lines)) != root:
        raise IntegrityError(
            f"{path}: its Merkle root is {got[:12]}..., {root[:12]}... was recorded: the manifest "
            "was altered; restore it from a copy"
        )
    return frozenset(lines)


def _by_id(lines: Iterable[bytes]) -> dict[str, TrainingRow]:
    rows = {}
    for line in lines:
        row = parse_row(line)
        if row is None:
            raise IntegrityError(f"training manifest: got {line[:80]!r}, wanted a training case")
        rows[row.case_id] = row
    return rows


def _told(row: TrainingRow | None, beside: TrainingRow | None) -> str | None:
    """A case in a few words: all of it where it stands alone, else what differs."""
    if row is None:
        return None
    values = _values(row)
    if beside is None:
        return f"{values['split']}, {values['label']}"
    theirs = _values(beside)
    return ", ".join(f"{k}={v}" for k, v in values.items() if theirs.get(k) != v) or "encoding"


def _values(row: TrainingRow) -> dict[str, str]:
    return {
        "split": row.split,
        "label": "positive" if row.label else "negative",
        "patient": row.patient_id,
        "pixels": f"{row.pixels_sha256[:12]}...",
        **row.attributes,
    }
