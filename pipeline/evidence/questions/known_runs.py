"""Every run of a workspace at a glance: ML Metadata's rows, held against the ledger.

Reading a thousand run records takes seconds and one question to the database does not. Its rows
can be edited, so what the ledger says of a run as well has to be the same.
"""

from dataclasses import dataclass

from components.lineage.reader import Row
from components.lineage.types import run_properties
from components.records.errors import CasegateError
from pipeline.evidence.subject import Evidence

# Kind of entry -> what both it and the row have.
_RECORDED_TWICE = {
    "run": ("state", "exit_code", "record_sha256"),
    "decision": ("verdict", "decision_sha256", "candidate_sha256"),
}


@dataclass(frozen=True)
class KnownRuns:
    """Attributes:
    rows: newest first; a run that has not ended yet is there too, from its own record.
    differing: in whole sentences, where ML Metadata and the ledger differ.
    """

    rows: tuple[Row, ...]
    differing: tuple[str, ...]


def known_runs(evidence: Evidence) -> KnownRuns:
    by_id = {str(row.get("run_id")): row for row in evidence.runs}
    differing = [
        sentence
        for run_id, row in by_id.items()
        for sentence in _differences(evidence, run_id, row)
    ]
    ended = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    differing += [
        f"ML Metadata has no row of run {run_id}, which the ledger says ended: it was removed."
        for run_id in sorted(ended - by_id.keys())
    ]
    for run_id in evidence.run_ids() - by_id.keys():
        by_id[run_id] = _from_record(evidence, run_id)
    return KnownRuns(
        tuple(by_id[run_id] for run_id in sorted(by_id, reverse=True)), tuple(differing)
    )


def _differences(evidence: Evidence, run_id: str, row: Row) -> list[str]:
    """What the row says otherwise than the ledger's entries of the run."""
    return [
        f"ML Metadata, run {run_id}: {name} is {row.get(name)!r}, entry {entry.seq} of "
        f"the ledger has {entry.body.get(name)!r}: the row was altered."
        for kind, names in _RECORDED_TWICE.items()
        if (entry := evidence.last_entries.get((kind, run_id))) is not None
        for name in names
        if row.get(name) != entry.body.get(name)
    ]


def _from_record(evidence: Evidence, run_id: str) -> Row:
    """A run that ML Metadata does not have, by its record; by its name alone if that is gone."""
    try:
        return dict(run_properties(evidence.record(run_id)))
    except CasegateError as error:
        return {"run_id": run_id, "state": "not known", "error": str(error)}
