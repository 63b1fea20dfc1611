"""Which training cases came, went or changed between two runs, from their manifests."""

from collections.abc import Iterable

from components.lineage.record import RunRecord
from components.lineage.training import manifest_path, read_manifest
from components.lineage.training_row import TrainingRow
from pipeline.lineage.answer import Table, Value
from pipeline.lineage.subject import Evidence

MOST = 1000  # cases that are listed; the notes have the counts
COLUMNS = ("case", "change", "first", "second")


def training_changes(
    evidence: Evidence, old: RunRecord, new: RunRecord
) -> tuple[Table, tuple[str, ...]]:
    """The changed cases, at most MOST of them, and how many there are of each kind.

    Raises:
      IntegrityError: a manifest was altered or is gone.
    """
    empty = Table("training_cases", "Training cases", COLUMNS, (), links={"case": "case"})
    roots = [record.inputs.training_root for record in (old, new)]
    if None in roots:
        return empty, ("Training data are not compared: a run stopped before it had read them.",)
    if roots[0] == roots[1]:
        return empty, (
            f"Both were trained and tuned on the same {new.inputs.training_cases} cases.",
        )
    first, second = (
        _by_id(read_manifest(manifest_path(evidence.workspace.training, str(root)), root=root))
        for root in roots
    )
    rows: list[tuple[Value, ...]] = []
    counts = {"added": 0, "removed": 0, "changed": 0}
    for case_id in sorted(first.keys() | second.keys()):
        before, after = first.get(case_id), second.get(case_id)
        if before == after:
            continue
        change = "changed" if before and after else "added" if after else "removed"
        counts[change] += 1
        if len(rows) < MOST:
            rows.append((case_id, change, _told(before, after), _told(after, before)))
    said = ", ".join(f"{count} {change}" for change, count in counts.items())
    note = f"Training and tuning cases: {said}"
    note += f"; the first {MOST} are listed." if sum(counts.values()) > MOST else "."
    return Table(empty.name, empty.title, COLUMNS, tuple(rows), links=empty.links), (note,)


def _by_id(rows: Iterable[TrainingRow]) -> dict[str, TrainingRow]:
    return {row.case_id: row for row in rows}


def _told(row: TrainingRow | None, beside: TrainingRow | None) -> str | None:
    """A case in a few words: all of it where it stands alone, else what differs."""
    if row is None:
        return None
    values = {
        "split": row.split,
        "label": "positive" if row.label else "negative",
        "patient": row.patient_id,
        "pixels": f"{row.pixels_sha256[:12]}...",
        **row.attributes,
    }
    if beside is None:
        return ", ".join(f"{values[key]}" for key in ("split", "label"))
    theirs = {
        "split": beside.split,
        "label": "positive" if beside.label else "negative",
        "patient": beside.patient_id,
        "pixels": f"{beside.pixels_sha256[:12]}...",
        **beside.attributes,
    }
    return ", ".join(f"{k}={v}" for k, v in values.items() if theirs.get(k) != v) or "encoding"
