"""A workspace whose runs were trained on cases that a test chooses, without TensorFlow or TFX.

Cases are numbers. Training case N has picture N, its own patient, and the id `train-N`; the case
set `chest` holds `test-0` to `test-4`, pictures 1000 to 1004.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from components.baselines.case_set import CaseSet, cases_root, lock_cases, save_case_set
from components.baselines.history import archive
from components.lineage.opening import open_store
from components.lineage.record import (
    Code,
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
from components.lineage.training import TrainingRow, write_manifest
from components.lineage.writer import RecordWriter
from components.records.case import CaseRecord
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.records.run_files import ADMISSION, REQUEST, RUN_RECORD
from pipeline.settings.workspace import Workspace

COMMIT = "abcd" + "0" * 36
PLACE = "serving/pneumonia"


def digest(*words: object) -> str:
    return sha256(repr(words).encode()).hexdigest()


def looks(picture: int) -> str:
    """A perceptual hash, unlike that of any other picture."""
    return digest("signs", picture) + digest("spots", picture)


def training(number: int, **changes: object) -> TrainingRow:
    values: dict[str, object] = {
        "split": "tune" if number % 5 == 0 else "train",
        "case_id": f"train-{number}",
        "patient_id": f"patient-{number}",
        "label": number % 2,
        "bytes_sha256": digest("bytes", number),
        "pixels_sha256": digest("pixels", number),
        "attributes": {"site": "Harbour"},
    }
    return TrainingRow(**{**values, **changes})  # type: ignore[arg-type]


def seen(number: int, *, hashed: bool = False) -> CaseRecord:
    picture = 1000 + number
    return CaseRecord(
        case_id=f"test-{number}",
        label=number % 2,
        bytes_sha256=digest("bytes", picture),
        pixels_sha256=digest("pixels", picture),
        patient_id=f"patient-{picture}",
        perceptual_hash=looks(picture) if hashed else "",
    )


class Spans:
    """A workspace; `run` adds to it what a run leaves.

    Args:
      hashed: whether the case set was locked with perceptual hashes.
    """

    def __init__(self, root: Path, *, hashed: bool = False) -> None:
        self.workspace = Workspace(root / "workspace")
        self.workspace.root.mkdir(parents=True)
        self.workspace.identity.write_text(json.dumps({"workspace_id": "0123abcd"}))
        self.lock = self.workspace.baselines / "chest" / "case_set.json"
        cases = [seen(number, hashed=hashed) for number in range(5)]
        who = {"author": "Dr. Lang", "reason": "test", "date": "2026-01-01"}
        self.case_set = lock_cases(cases, name="chest", source="chest.npz", **who)
        save_case_set(self.case_set, self.lock)
        self.ledger = Ledger(self.workspace.ledger)
        self._runs = 0

    def retire(self, case_id: str) -> CaseSet:
        """Makes the next version of the case set, without this case."""
        before = self.case_set
        archive(self.lock, before)
        kept = tuple(case for case in before.cases if case.case_id != case_id)
        self.case_set = replace(
            before,
            version=before.version + 1,
            parent=before.merkle_root,
            cases=kept,
            merkle_root=cases_root(kept),
            retired=(*before.retired, case_id),
        )
        save_case_set(self.case_set, self.lock)
        return self.case_set

    def run(
        self,
        rows: Iterable[TrainingRow] | None,
        *,
        version: int | None = None,
        model: str | None = None,
        commit: str = COMMIT,
        packages: dict[str, str] | None = None,
        recorded: str | None = None,
        admission: dict[str, object] | None = None,
    ) -> str:
        """Adds a finished run and returns its id.

        Args:
          rows: what it was trained on; None for one that stopped before that.
          version: what it was released as, if it was.
          recorded: as the record names the training data, where that is not so.
          admission: what DataGate wrote of the pictures; None for a run of before it did.
        """
        self._runs += 1
        run_id = f"20260101T{self._runs:06d}.000000Z"
        data = None if rows is None else write_manifest(rows, self.workspace.training)
        model = digest("model", model or run_id) if data else None
        decision = digest("decision", run_id)
        folder, files = self.workspace.run_folder(run_id), {}
        if admission is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ADMISSION).write_text(json.dumps(admission))
            files[ADMISSION] = sha256_file(folder / ADMISSION)
        record = RunRecord(
            run_id=run_id,
            workspace_id=self.workspace.id,
            state="failed" if data is None else "released" if version else "blocked",
            started="2026-01-01T00:00:00.000Z",
            finished="2026-01-01T00:01:00.000Z",
            exit_code=0 if version else 1,
            who=Who("ada", "host", "Radiology"),
            where=Where(None, None, None, None),
            why=Why("manual"),
            code=Code(commit, False, None, digest("code")),
            environment=Environment("3.10", "Linux", None, 2, None, None, None, packages or {}),
            seeds=Seeds(1, True),
            store=Stored(self.workspace.pipeline_name, self.workspace.pipeline_run(run_id)),
            inputs=RunInputs(
                case_set="chest",
                case_set_version=self.case_set.version,
                case_set_cases=len(self.case_set.cases),
                case_set_root=self.case_set.merkle_root,
                data="chest.npz",
                training_root=recorded or (data.root if data else None),
                training_cases=data.cases if data else None,
            ),
            decision=Decided("PASS" if version else "FAIL", decision, model) if data else None,
            release=Released(PLACE, version, str(model), None) if version else None,
            files=files,
        )
        self._write(record, model, decision)
        with open_store(self.workspace.store) as store:
            writer = RecordWriter(store)
            writer.write_run(record, str(self.workspace.run_folder(run_id)), training=data)
            if version:
                release = releases(self.ledger.entries())[-1]
                writer.write_release(release, workspace_id=self.workspace.id, run_id=run_id)
        return run_id

    def _write(self, record: RunRecord, model: str | None, decision: str) -> None:
        """What is in the run's folder and in the ledger."""
        folder = self.workspace.run_folder(record.run_id)
        save_record(record, folder / RUN_RECORD)
        request = {"case_set": [str(self.lock.resolve()), ""]}
        (folder / REQUEST).write_text(json.dumps(request))
        who = {"by": "casegate", "at": "2026-01-01T00:00:30Z"}
        if record.decision:
            body = {
                "run_id": record.run_id,
                "decision_sha256": decision,
                "verdict": record.decision.verdict,
                "exit_code": record.exit_code,
                "candidate_sha256": model,
                "champion_sha256": None,
                "golden_sha256": None,
                "case_set": "chest",
                "case_set_version": self.case_set.version,
                "case_set_root": self.case_set.merkle_root,
                "policy_sha256": digest("policy"),
                "already_released": False,
                "waived": [],
            }
            self.ledger.append("decision", body, **who)
        if record.release:
            body = {
                "destination": PLACE,
                "version": record.release.version,
                "model_sha256": model,
                "run_id": record.run_id,
                "decision_sha256": decision,
                "attestation_sha256": None,
            }
            self.ledger.append("release", body, **who)
        body = {
            "run_id": record.run_id,
            "state": record.state,
            "exit_code": record.exit_code,
            "record_sha256": record.record_sha256,
        }
        self.ledger.append("run", body, **who)
