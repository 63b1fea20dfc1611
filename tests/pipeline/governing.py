"""A workspace with a locked case set, and runs on it that people approve from and waive in."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.golden import Golden, load_golden
from components.baselines.scores import CaseScores
from components.decision import Decision, save_decision
from components.gate.record import record
from components.records.files import write_atomically
from components.records.ledger.ledger import Ledger
from components.records.run_files import DECISION, RELEASE_ATTESTATION, REQUEST
from components.release.exports import exports_of
from components.release.serving import find_version, record_release
from pipeline.governance.approval import approve_golden, bootstrap_golden, propose_golden
from pipeline.settings.workspace import Workspace
from tests.components.exporting import artefact, exported
from tests.components.gate.test_decide import CASES, MARGIN, judged
from tests.components.planting import check, policy, scored
from tests.components.release.test_serving import put
from tests.pipeline.making import write_run

FLOORS = policy(check("sensitivity", floor=0.8))
PERSON, REASON = "A. Radiologist", "as good on every device"
AT = "2025-03-31T12:00:00Z"


class Governed:
    """`baseline` holds CASES; `first` bootstraps its golden, `run` adds runs judged against it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "ws"
        self.workspace = Workspace(self.root)
        self.baseline = self.workspace.baselines / "planted"
        self.destination = self.workspace.serving / "pneumonia"
        self.ledger = Ledger(self.workspace.ledger)
        if not self.baseline.exists():
            save_case_set(CASES, self.baseline / "case_set.json")

    def copied(self, root: Path) -> "Governed":
        """The same workspace in another folder; making one takes a second, copying one does not."""
        shutil.copytree(self.root, root / "ws")
        for request in (root / "ws").glob(f"runs/*/{REQUEST}"):
            request.write_text(request.read_text().replace(str(self.root), str(root / "ws")))
        return Governed(root)

    @property
    def golden(self) -> Golden:
        return load_golden(self.baseline / "golden.json")

    def run(
        self,
        run_id: str,
        candidate: CaseScores | None = None,
        *,
        case_set: CaseSet = CASES,
        **given: Any,
    ) -> Decision:
        """A run on record, judged against the golden there is unless `given` says otherwise."""
        path = self.baseline / "golden.json"
        given.setdefault("golden", load_golden(path) if path.exists() else None)
        given.setdefault("rules", MARGIN if path.exists() else FLOORS)
        candidate = candidate or scored(case_set, model=run_id)
        decision = judged(candidate, case_set=case_set, run_id=run_id, **given)
        write_run(self.workspace, run_id, decision, candidate, self.baseline)
        record(self.ledger, decision)
        return decision

    def first(self) -> None:
        """The first run, and golden made of it."""
        self.run("run-1", scored(CASES, wrong=[3], model="run-1"), champion=None)
        bootstrap_golden(self.root, run_id=None, by=PERSON, reason=REASON)

    def approved(self, run_id: str) -> None:
        """A run that passes, approved as golden."""
        self.run(run_id)
        propose_golden(self.root, run_id=run_id, by="B. Statistician")
        approve_golden(self.root, by=PERSON, reason=REASON)

    def released(self, version: int, *, kinds: Sequence[str] = ()) -> str:
        """A version that passed and is on record; returns the model's hash.

        Args:
          kinds: of the artefacts that are released with it.
        """
        sha256 = put(self.destination, version, f"weights {version}")
        run_id = f"run-{version}"
        exports = tuple(exported(self.workspace.run_folder(run_id), sha256, it) for it in kinds)
        for made in exports:
            folder = exports_of(self.root, self.destination) / str(version) / made.kind
            artefact(folder, sha256, made.kind)
            write_atomically(folder / RELEASE_ATTESTATION, b"{}")
        hashes = {**judged().hashes, "candidate": sha256}
        decision = replace(judged(run_id=run_id), hashes=hashes, exports=exports)
        save_decision(decision, self.workspace.run_folder(run_id) / DECISION)
        record(self.ledger, decision)
        champion = find_version(self.destination, version, self.workspace.runs)
        record_release(self.ledger, champion, workspace=self.root)
        return sha256
