"""Every run of a workspace at a glance: ML Metadata's rows, held against the ledger.

Reading a thousand run records takes seconds and one question to the database does not. Its rows
can be edited, so what the ledger says of a run as well has to be the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.lineage.reader import Row
from components.lineage.types import run_properties
from components.records.errors import CasegateError
from pipeline.evidence.subject import Evidence

COLUMNS = (
    "run_id",
    "state",
    "started",
    "finished",
    "exit_code",
    "error",
    "verdict",
    "why",
    "why_detail",
    "started_by",
    "git_commit",
    "git_dirty",
    "case_set",
    "case_set_version",
    "policy",
    "destination",
    "version",
    "candidate_sha256",
    "record_sha256",
    "decision_sha256",
)


@dataclass(frozen=True)
class KnownRuns:
    """Attributes:
    rows: newest first; a run that has not ended yet is there too, from its own record.
    differing: in whole sentences, where ML Metadata and the ledger differ.
    """

    rows: tuple[Row, ...]
    differing: tuple[str, ...]


def known_runs(evidence: Evidence) -> KnownRuns:
    rows = evidence.store.runs(evidence.workspace_id, columns=COLUMNS)
    by_id = {str(row.get("run_id")): row for row in rows}
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
    for run_id in _folders(evidence) - by_id.keys():
        by_id[run_id] = _from_record(evidence, run_id)
    return KnownRuns(
        tuple(by_id[run_id] for run_id in sorted(by_id, reverse=True)), tuple(differing)
    )


def commits(rows: Sequence[Row], prefix: str) -> list[Row]:
    """The runs whose commit begins so."""
    return [row for row in rows if str(row.get("git_commit") or "").startswith(prefix.lower())]


def _differences(evidence: Evidence, run_id: str, row: Row) -> list[str]:
    """What the row says otherwise than the ledger's entries of the run."""
    found = []
    for kind, names in _SAID_TWICE.items():
        if (entry := evidence.last_entries.get((kind, run_id))) is None:
            continue
        for name, key in names.items():
            if row.get(name) != entry.body.get(key):
                found.append(
                    f"ML Metadata, run {run_id}: {name} is {row.get(name)!r}, entry {entry.seq} of "
                    f"the ledger has {entry.body.get(key)!r}: the row was altered."
                )
    return found


# Kind of entry -> property of the row -> key of the entry.
_SAID_TWICE: Mapping[str, Mapping[str, str]] = {
    "run": {"state": "state", "exit_code": "exit_code", "record_sha256": "record_sha256"},
    "decision": {
        "verdict": "verdict",
        "decision_sha256": "decision_sha256",
        "candidate_sha256": "candidate_sha256",
    },
}


def _folders(evidence: Evidence) -> set[str]:
    runs = evidence.workspace.runs
    return {path.name for path in runs.iterdir() if path.is_dir()} if runs.is_dir() else set()


def _from_record(evidence: Evidence, run_id: str) -> Row:
    """A run that ML Metadata does not have, by its record; by its name alone if that is gone."""
    try:
        return dict(run_properties(evidence.record(run_id)))
    except CasegateError as error:
        return {"run_id": run_id, "state": "not known", "error": str(error)}
