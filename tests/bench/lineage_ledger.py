"""The ledger of the generated store: what a run adds to it, at that run's own times."""

from collections.abc import Mapping
from pathlib import Path

from components.decision import Decision
from components.lineage.record import RunRecord
from components.records.chain import FIRST_PREVIOUS, Head
from components.records.ledger.ledger import Entry, line_of, new_entry
from components.records.ledger.records import Release, releases
from tests.bench.lineage_plan import Planned


class PlannedLedger:
    """Entries, in their order; `write` puts them into a file."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def write(self, path: Path) -> None:
        path.write_bytes(b"".join(line_of(entry) + b"\n" for entry in self._entries))
        path.with_suffix(".head").write_bytes(Head.of(self._entries).to_bytes())

    def add_decision(self, run: Planned, decision: Decision, template: RunRecord) -> None:
        """The look at the case set, and the decision that it led to."""
        inputs = template.inputs
        body = {
            "run_id": run.run_id,
            "case_set": inputs.case_set,
            "case_set_version": inputs.case_set_version,
            "case_set_root": inputs.case_set_root,
            "candidate_sha256": decision.hashes["candidate"],
            "policy_sha256": inputs.policy_sha256,
        }
        self._append("look", run, 44, body)
        decided = {
            "decision_sha256": decision.decision_sha256,
            "verdict": decision.verdict.value,
            "exit_code": decision.exit_code,
            "champion_sha256": decision.hashes["champion"],
            "golden_sha256": decision.hashes["golden"],
            "already_released": False,
            "waived": [],
        }
        self._append("decision", run, 44, {**body, **decided})

    def add_release(self, run: Planned, decision: Decision, destination: str) -> Release:
        body = {
            "destination": destination,
            "version": run.version,
            "model_sha256": decision.hashes["candidate"],
            "run_id": run.run_id,
            "decision_sha256": decision.decision_sha256,
            "attestation_sha256": None,
        }
        self._append("release", run, 45, body)
        return releases(self._entries[-1:])[0]

    def add_run(self, run: Planned, record: RunRecord) -> None:
        body = {
            "run_id": record.run_id,
            "state": record.state,
            "exit_code": record.exit_code,
            "record_sha256": record.record_sha256,
        }
        self._append("run", run, 48, body)

    def _append(self, kind: str, run: Planned, seconds: float, body: Mapping[str, object]) -> None:
        previous = self._entries[-1].entry_sha256 if self._entries else FIRST_PREVIOUS
        number, at = len(self._entries) + 1, run.at(seconds)
        made = new_entry(kind, body, by="casegate", at=at, seq=number, previous=previous)
        self._entries.append(made)
