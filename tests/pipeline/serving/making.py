"""A workspace whose versions may be served, as far as whoever vouches for them looks."""

import shutil
from dataclasses import replace
from pathlib import Path

from components.decision import Decision
from components.gate.record import record
from components.records.files import sha256_tree
from components.release.serving import find_version, record_release
from pipeline.governance.rollback import roll_back
from pipeline.settings.config import Config, load_config
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored
from tests.pipeline.governing import Governed
from tests.pipeline.making import write_run

UNSIGNED = "signing.unsigned=true"


class Ward(Governed):
    """`release` puts a version there as a run does; `roll_back` makes an earlier one newest."""

    def config(self, *settings: str) -> Config:
        return load_config(None, [UNSIGNED, *settings])

    def release(self, version: int, model: Path | None = None, *, recorded: bool = True) -> str:
        """The version's hash.

        Args:
          model: a SavedModel, which is copied; None makes a folder with one word in it.
          recorded: whether the ledger gets its release, or the run was killed before.
        """
        folder = self.destination / str(version)
        if model is None:
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_text(f"weights {version}")
        else:
            shutil.copytree(model, folder)
        sha256, run_id = sha256_tree(folder), f"run-{version}"
        decision = self._decided(run_id, sha256)
        record(self.ledger, decision)
        if recorded:
            champion = find_version(self.destination, version, self.workspace.runs)
            record_release(self.ledger, champion, workspace=self.root)
        return sha256

    def _decided(self, run_id: str, sha256: str) -> Decision:
        candidate = scored(CASES, model=run_id)
        decision = judged(candidate, run_id=run_id)
        decision = replace(decision, hashes={**decision.hashes, "candidate": sha256})
        write_run(self.workspace, run_id, decision, candidate, self.baseline)
        return decision

    def roll_back(self, to: int) -> int:
        """The number that the earlier version got."""
        entry = roll_back(
            self.root, to=to, by="A. Radiologist", reason="missed effusions", model_name="pneumonia"
        )
        return int(entry.body["new_version"])
