"""A workspace whose runs took place when a test says: records, decisions, ledger and ML Metadata.

Without TensorFlow or TFX: what TFX would have written is not there, and no file is what a model is.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.decision import Decision, save_decision
from components.lineage.opening import open_store
from components.lineage.record import (
    Code,
    ComponentRun,
    Decided,
    Environment,
    Released,
    RunInputs,
    RunRecord,
    Seeds,
    Stored,
    Where,
    Who,
    Why,
    save_record,
)
from components.lineage.writer import RecordWriter
from components.records.files import write_atomically
from components.records.ledger.ledger import Entry, Ledger
from components.records.run_files import DECISION, RUN_RECORD
from pipeline.run.recorder import write_releases
from pipeline.settings.workspace import Workspace
from tests.components.planting import sha

PLACE, COMMIT = "serving/pneumonia", "abcd" + "0" * 36
ENVIRONMENT = Environment("3.10", "Linux", None, 2, 2**33, None, sha("lock"), {"tfx": "1.16.0"})
# Second of the run's minute at which each begins; the next begins where the one before ended.
COMPONENTS = {"DataGate": 2, "CaseSet": 4, "Trainer": 6, "CandidateScorer": 20, "Evaluator": 24}
ENTRIES = {"look": 40, "decision": 41, "release": 42, "run": 50}


class Told:
    """Runs are told by the minute they took place in: '2026-01-05T10:00'."""

    def __init__(self, root: Path) -> None:
        self.root = root / "workspace"
        self.workspace = Workspace(self.root)
        self.ledger = Ledger(self.workspace.ledger)
        write_atomically(self.workspace.identity, b'{"workspace_id": "0123abcd"}')

    def run(
        self,
        minute: str,
        state: str = "released",
        *,
        decision: Decision | None = None,
        version: int | None = None,
        seconds: Mapping[str, float] | None = None,
        skip: tuple[str, ...] = (),
        given: Mapping[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        """A run that ended so, in ML Metadata and the ledger too; returns its id.

        Args:
          decision: what was decided; its run id is made this run's.
          version: what it released.
          seconds: of COMPONENTS and ENTRIES, where they are to be others.
          skip: components that it did not get to.
          given: of the record's inputs, where they are to be others.
          changed: of the record.
        """
        run_id = f"{minute.replace('-', '').replace(':', '')}00.000000Z"
        when = {**COMPONENTS, **ENTRIES, **(seconds or {})}
        folder = self.workspace.run_folder(run_id)
        folder.mkdir(parents=True)
        components = tuple(
            ComponentRun(name, "finished", _at(minute, when[name]), 1.0, 2**30)
            for name in COMPONENTS
            if name not in skip
        )
        record = self._record(run_id, state, minute, given or {}, components=components, **changed)
        if decision is not None:
            decision = replace(decision, run_id=run_id)
            save_decision(decision, folder / DECISION)
            record = replace(
                record,
                decision=Decided(
                    decision.verdict.value, decision.decision_sha256, decision.hashes["candidate"]
                ),
            )
            self._decided(decision, minute, when)
        if decision is not None and version is not None:
            record = replace(record, release=self._released(decision, minute, when, version))
        save_record(record, folder / RUN_RECORD)
        writer = RecordWriter(open_store(self.workspace.store))
        writer.write_run(record, str(folder), decision=decision)
        write_releases(self.workspace, writer)
        ended = {"run_id": run_id, "state": state, "exit_code": record.exit_code}
        body = {**ended, "record_sha256": record.record_sha256}
        self.entry("run", body, at=_at(minute, when["run"]))
        return run_id

    def entry(self, kind: str, body: Mapping[str, Any], *, at: str, by: str = "casegate") -> Entry:
        return self.ledger.append(kind, body, by=by, at=at)

    def waived(self, decision: Decision, check: str, *, at: str, expires: str) -> None:
        """A waiver of a check for the candidate of this decision."""
        body = {
            "check": check,
            "run_id": decision.run_id,
            "decision_sha256": decision.decision_sha256,
            "candidate_sha256": decision.hashes["candidate"],
            "case_set_root": decision.hashes["case_set"],
            "policy_sha256": decision.hashes["policy"],
            "second": "Dr. Weber",
            "reason": "device under repair",
            "expires": expires,
        }
        self.entry("waiver", body, at=at, by="Dr. Ito")

    def rolled_back(self, decision: Decision, versions: tuple[int, int, int], *, at: str) -> None:
        """A rollback from the first of `versions` to the second, served as the third."""
        before, back, new = versions
        body = {
            "destination": PLACE,
            "from_version": before,
            "to_version": back,
            "new_version": new,
            "from_model_sha256": None,
            "to_model_sha256": decision.hashes["candidate"],
            "decision_sha256": decision.decision_sha256,
            "reason": "drill",
        }
        self.entry("rollback", body, at=at, by="Dr. Okafor")

    def _decided(self, decision: Decision, minute: str, when: Mapping[str, float]) -> None:
        named = {
            "case_set": decision.case_set["name"],
            "case_set_version": decision.case_set["version"],
            "case_set_root": decision.hashes["case_set"],
            "candidate_sha256": decision.hashes["candidate"],
            "policy_sha256": decision.hashes["policy"],
            "run_id": decision.run_id,
        }
        self.entry("look", named, at=_at(minute, when["look"]))
        body = {
            **named,
            "decision_sha256": decision.decision_sha256,
            "verdict": decision.verdict.value,
            "exit_code": decision.exit_code,
            "champion_sha256": decision.hashes["champion"],
            "golden_sha256": decision.hashes["golden"],
            "already_released": decision.already_released,
            "waived": [check.check for check in decision.checks if check.waived],
        }
        self.entry("decision", body, at=_at(minute, when["decision"]))

    def _released(
        self, decision: Decision, minute: str, when: Mapping[str, float], version: int
    ) -> Released:
        model = str(decision.hashes["candidate"])
        write_atomically(self.root / PLACE / str(version) / "saved_model.pb", model.encode())
        body = {
            "destination": PLACE,
            "version": version,
            "model_sha256": model,
            "run_id": decision.run_id,
            "decision_sha256": decision.decision_sha256,
            "attestation_sha256": None,
        }
        self.entry("release", body, at=_at(minute, when["release"]))
        return Released(PLACE, version, model, None)

    def _record(
        self, run_id: str, state: str, minute: str, given: Mapping[str, Any], **changed: Any
    ) -> RunRecord:
        inputs: dict[str, Any] = {
            "policy": "planted",
            "policy_sha256": sha("policy"),
            "policy_commit": COMMIT,
            "policy_committed": "2026-01-01T00:00:00Z",
            "case_set": "planted",
            "case_set_version": 1,
            **given,
        }
        record = RunRecord(
            run_id=run_id,
            workspace_id=self.workspace.id,
            state=state,
            started=_at(minute, 0),
            finished=_at(minute, 49),
            exit_code=0 if state == "released" else 1,
            who=Who("ada", "ward-3", "Radiology"),
            where=Where(None, None, None, None),
            why=Why("manual"),
            code=Code(COMMIT, False, None, sha("code")),
            environment=ENVIRONMENT,
            seeds=Seeds(1, True),
            store=Stored(self.workspace.pipeline_name, self.workspace.pipeline_run(run_id)),
            inputs=RunInputs(**inputs),
        )
        return replace(record, **changed)


def name_policy(told: Told, run_id: str, policy: Path) -> None:
    """What a run's request says of where its policy was."""
    request = {
        "policy": [str(policy), ""],
        "case_set": [str(policy.with_name("case_set.json")), ""],
    }
    path = told.workspace.run_folder(run_id) / "request.json"
    write_atomically(path, json.dumps(request).encode())


def _at(minute: str, second: float) -> str:
    return f"{minute}:{second:06.3f}Z"
