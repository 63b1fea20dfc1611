"""A workspace of runs whose records, graphs and files say what a test wants; no ML Metadata."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from components.lineage.record import (
    Code,
    Environment,
    RunRecord,
    Seeds,
    Stored,
    Where,
    Who,
    Why,
    save_record,
)
from components.records.files import canonical_json, sha256_file, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.run_files import LINEAGE, RUN_RECORD
from pipeline.settings.sections import RetentionConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retention.prune import Pruned, prune
from tests.components.planting import sha

PLACE = "serving/pneumonia"
NOW = datetime(2026, 7, 1, tzinfo=timezone.utc)
STRICT = RetentionConfig(keep_runs=1, keep_days=30)
ENVIRONMENT = Environment("3.10", "Linux", None, 2, 2**33, None, None, {})
# What each run writes, and the type of it.
WRITES = {"TrainingCases/examples": "Examples", "Trainer/model": "Model"}


class Aged:
    """Runs are told by their day: '2026-01-05'; the last of a test is the one that always stays."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root / "workspace")
        self.ledger = Ledger(self.workspace.ledger)
        self.executions = 0
        write_atomically(self.workspace.identity, b'{"workspace_id": "0123abcd"}')

    def run(self, day: str, *, cached: Mapping[str, str] | None = None) -> dict[str, str]:
        """A run that ended; returns its folders below `artifacts`, by what it writes.

        Args:
          cached: folders of an earlier run that it took instead of writing its own.
        """
        run_id = run_of(day)
        folders, executions = dict[str, str](), []
        for channel in WRITES:
            self.executions += 1
            folders[channel] = (cached or {}).get(channel) or f"{channel}/{self.executions}"
            executions.append({"id": self.executions, "component": channel.partition("/")[0]})
        for name in folders.values():
            write_atomically(self.workspace.artifacts / name / "data", name.encode())
        graph = {
            "artifacts": [
                {"uri": str(self.workspace.artifacts / name), "type": WRITES[channel]}
                for channel, name in folders.items()
            ],
            "executions": executions,
        }
        lineage = self.workspace.run_folder(run_id) / LINEAGE
        write_atomically(lineage, canonical_json(graph))
        self._close(replace(_record(self.workspace, run_id), files={LINEAGE: sha256_file(lineage)}))
        return folders

    def released(self, day: str, version: int) -> None:
        write_atomically(self.workspace.root / PLACE / str(version) / "saved_model.pb", b"model")
        body = {"destination": PLACE, "version": version, "model_sha256": sha(day)}
        self.entry("release", {**body, "run_id": run_of(day), "decision_sha256": sha(day)})

    def decided(self, day: str, *, golden: str | None = None) -> None:
        """The ledger's word on what a run judged: the model of `day`, against that of `golden`."""
        body = {
            "run_id": run_of(day),
            "decision_sha256": sha(day),
            "verdict": "PASS",
            "exit_code": 0,
            "candidate_sha256": sha(f"model of {day}"),
            "champion_sha256": None,
            "golden_sha256": golden and sha(f"model of {golden}"),
            "case_set": "planted",
            "case_set_version": 1,
            "case_set_root": sha("root"),
            "policy_sha256": sha("policy"),
            "already_released": False,
            "waived": [],
        }
        self.entry("decision", body)

    def waived(self, day: str, *, expires: str) -> None:
        names = ("decision_sha256", "candidate_sha256", "case_set_root", "policy_sha256")
        body = {"check": "auc[overall].floor", "run_id": run_of(day), "second": "Dr. Weber"}
        said = {"reason": "repair", "expires": expires}
        self.entry("waiver", {**body, **dict.fromkeys(names, sha(day)), **said}, by="Dr. Ito")

    def entry(self, kind: str, body: Mapping[str, object], *, by: str = "casegate") -> None:
        self.ledger.append(kind, body, by=by, at="2026-06-01T00:00:00Z")

    def prune(self, config: RetentionConfig = STRICT, *, dry_run: bool = False) -> Pruned:
        return prune(config, self.workspace, dry_run=dry_run, now=NOW)

    def there(self, names: Iterable[str]) -> list[bool]:
        return [(self.workspace.artifacts / name).is_dir() for name in names]

    def _close(self, record: RunRecord) -> None:
        save_record(record, self.workspace.run_folder(record.run_id) / RUN_RECORD)
        body = {"run_id": record.run_id, "state": record.state, "exit_code": record.exit_code}
        self.entry("run", {**body, "record_sha256": record.record_sha256})


def run_of(day: str) -> str:
    return f"{day.replace('-', '')}T000000.000000Z"


def _record(workspace: Workspace, run_id: str) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        workspace_id=workspace.id,
        state="blocked",
        started="2026-01-01T00:00:00.000Z",
        finished="2026-01-01T00:01:00.000Z",
        exit_code=1,
        who=Who("ada", "ward-3", None),
        where=Where(None, None, None, None),
        why=Why("manual"),
        code=Code(None, None, None, sha("code")),
        environment=ENVIRONMENT,
        seeds=Seeds(1, True),
        store=Stored(workspace.pipeline_name, workspace.pipeline_run(run_id)),
    )
