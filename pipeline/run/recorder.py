"""Keeps the record of a run from its first moment to its last, whatever becomes of it.

Written when the run starts, so that one which is killed has left its name; written again when it
ends. The next run closes what a dead process left open: the workspace is held by one at a time, so
a record that says `running` under that hold is of a process that is gone.
"""

import contextlib
import dataclasses
import hashlib
import re
import time
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from components.attestation.envelope import read_envelope, verify
from components.baselines.golden import load_golden
from components.baselines.names import POLICY
from components.decision import Decision, load_decision
from components.lineage.graph import WROTE, Graph
from components.lineage.record import (
    ComponentRun,
    Decided,
    Released,
    RunInputs,
    RunRecord,
    Seeds,
    Stored,
    Why,
    load_record,
    save_record,
)
from components.lineage.training import TrainingData, TrainingRow, write_manifest
from components.records import events
from components.records.case import CaseRecord
from components.records.case_index import read_records
from components.records.clock import utc_now
from components.records.errors import CasegateError
from components.records.files import canonical_json, sha256_file, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.records.run_files import DECISION, DECISION_ATTESTATION, DIFF, LINEAGE, RUN_RECORD
from pipeline.run.inputs import Inputs
from pipeline.settings import provenance
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from components.lineage.writer import RecordWriter

CONFIG = "config.json"
INTERRUPTED = 130  # as shells have it
_CASE = tuple(field.name for field in dataclasses.fields(CaseRecord))
_case_values = attrgetter(*_CASE)
MOST_DIFF_BYTES = 5_000_000  # a larger one is known by its hash alone
_IN_LEDGER = ("run_id", "state", "exit_code", "record_sha256")


class Recorder:
    """The record of one run, while it lasts."""

    def __init__(self, config: Config, workspace: Workspace, run_id: str, why: Why) -> None:
        self.workspace = workspace
        self.folder = workspace.run_folder(run_id)
        code, diff = provenance.code()
        self.record = RunRecord(
            run_id=run_id,
            workspace_id=workspace.id,
            state="running",
            started=utc_now(),
            who=provenance.who(config.owner),
            where=provenance.where(),
            why=why,
            code=code,
            environment=provenance.recorded_environment(),
            seeds=Seeds(seed=config.model.seed, deterministic_ops=True),
            store=Stored(workspace.pipeline_name, workspace.pipeline_run(run_id)),
            inputs=RunInputs(config_sha256=config.sha256()),
        )
        settings = canonical_json(dataclasses.asdict(config))
        write_atomically(self.folder / CONFIG, settings + b"\n")
        if 0 < len(diff) <= MOST_DIFF_BYTES:
            write_atomically(self.folder / DIFF, diff)
        self._save()

    def record_inputs(self, inputs: Inputs) -> None:
        """Writes down what the run was given."""
        commit, committed = provenance.committed(inputs.baseline / POLICY)
        golden = load_golden(inputs.golden_path) if inputs.golden_sha256 else None
        given = RunInputs(
            config_sha256=inputs.config.sha256(),
            policy=inputs.policy.name,
            policy_sha256=inputs.policy.sha256,
            policy_commit=commit,
            policy_committed=committed,
            case_set=inputs.case_set.name,
            case_set_version=inputs.case_set.version,
            case_set_cases=len(inputs.case_set.cases),
            case_set_root=inputs.case_set.merkle_root,
            case_set_sha256=inputs.case_set_sha256,
            golden_sha256=golden.scores.model_sha256 if golden else None,
            golden_file_sha256=inputs.golden_sha256 or None,
            golden_approved_by=golden.approval.by if golden else None,
            champion_sha256=inputs.champion.sha256 if inputs.champion else None,
            champion_version=inputs.champion.version if inputs.champion else None,
            schema_sha256=inputs.schema_sha256,
            data=inputs.source.spec,
            data_sha256=inputs.source_sha256,
        )
        self.record = dataclasses.replace(self.record, inputs=given)
        self._save()

    def record_event(self, event: events.Event) -> None:
        """Takes down when a component starts and ends, and the memory it needed."""
        if event.kind == "started":
            begun = ComponentRun(event.component, "running", utc_now())
            self.record = dataclasses.replace(
                self.record, components=(*self.record.components, begun)
            )
            self._clock = time.monotonic()
            # Starts the system's count of this process's peak memory anew, where that is allowed.
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        elif event.kind in ("finished", "cached", "failed") and self.record.components:
            *before, last = self.record.components
            ended = dataclasses.replace(
                last,
                state=event.kind,
                seconds=round(time.monotonic() - self._clock, 3),
                peak_memory_bytes=_peak_bytes(),
            )
            self.record = dataclasses.replace(self.record, components=(*before, ended))

    def end(
        self,
        state: str,
        *,
        exit_code: int | None,
        error: str | None = None,
        decision: Decision | None = None,
        release: Released | None = None,
    ) -> None:
        """Closes the record: on disk, in the ledger and, where the store was opened, there.

        Args:
          state: one of RUN_STATES.
        """
        self.record = dataclasses.replace(
            self.record,
            state=state,
            exit_code=exit_code,
            error=error,
            decision=decided_in(decision, self.folder) if decision else None,
            release=release,
            finished=utc_now(),
        )
        close(self.workspace, self.record, decision=decision)

    @contextlib.contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Closes the record as failed where the block raises."""
        try:
            with events.listen(self.record_event):
                yield self
        except BaseException as error:
            if isinstance(error, CasegateError):
                code, words = error.exit_code, str(error)
            elif isinstance(error, KeyboardInterrupt):
                code, words = INTERRUPTED, "interrupted"
            else:
                code, words = CasegateError.exit_code, f"{type(error).__name__}: {error}"
            self.end("failed", exit_code=code, error=" ".join(words.split()))
            raise

    def _save(self) -> None:
        save_record(self.record, self.folder / RUN_RECORD)


def close(
    workspace: Workspace, record: RunRecord, *, decision: Decision | None = None
) -> RunRecord:
    """Writes an ended run's record for good: the file, ML Metadata, and last the ledger.

    The ledger's entry says that all of it is there; where it is missing, the next run does this
    once more, which changes nothing that is there already.
    """
    from components.lineage.opening import open_store
    from components.lineage.reader import MetadataStore
    from components.lineage.writer import RecordWriter, close_orphans

    folder = workspace.run_folder(record.run_id)
    metadata = open_store(workspace.store)
    writer = RecordWriter(metadata)
    with MetadataStore(workspace.store) as store:
        # First, or the copy of the graph would be of executions that run for ever.
        close_orphans(metadata, store, pipeline=workspace.pipeline_name)
        graph = store.run_graph(record.store.pipeline_run)
    training = _training(graph, workspace)
    record = _completed(record, graph, training, folder)
    save_record(record, folder / RUN_RECORD)
    writer.write_run(record, str(folder), training=training, decision=decision)
    write_releases(workspace, writer)
    body = {name: getattr(record, name) for name in _IN_LEDGER}
    Ledger(workspace.ledger).append("run", body, by="casegate", at=utc_now())
    return record


def _completed(
    record: RunRecord, graph: Graph, training: TrainingData | None, folder: Path
) -> RunRecord:
    """The record with what the run left: its lineage, its training data, its files."""
    store, inputs = record.store, record.inputs
    if graph.executions:
        write_atomically(folder / LINEAGE, canonical_json(graph.document()) + b"\n")
        store = dataclasses.replace(store, lineage_sha256=graph.sha256)
    if training is not None:
        inputs = dataclasses.replace(
            inputs, training_root=training.root, training_cases=training.cases
        )
    return dataclasses.replace(record, store=store, inputs=inputs, files=_hashes(folder))


def close_dead(workspace: Workspace) -> list[str]:
    """Closes the records of runs whose process is gone; only for who holds the workspace.

    Returns:
      Their ids.
    """
    entries = Ledger(workspace.ledger).entries()
    known = {entry.body["run_id"] for entry in entries if entry.kind == "run"}
    closed = []
    for path in sorted(workspace.runs.glob(f"*/{RUN_RECORD}")):
        if path.parent.name in known:
            continue
        record = load_record(path)
        if record.state == "running":
            record = dataclasses.replace(
                record, state="killed", finished=utc_now(), error="its process ended without a word"
            )
        decided = path.with_name(DECISION)
        decision = load_decision(decided) if decided.exists() else None
        if decision is not None and record.decision is None:
            record = dataclasses.replace(record, decision=decided_in(decision, path.parent))
        close(workspace, record, decision=decision)
        closed.append(record.run_id)
    return closed


def update_store(workspace: Workspace) -> None:
    """Brings ML Metadata up to the ledger after a person released or took back something.

    Raises:
      ConfigError: the store cannot be written to; the next run does it then.
    """
    from components.lineage.opening import open_store
    from components.lineage.writer import RecordWriter

    write_releases(workspace, RecordWriter(open_store(workspace.store)))


def write_releases(workspace: Workspace, writer: "RecordWriter") -> None:
    """Brings what ML Metadata knows of releases up to the ledger."""
    from components.lineage.reader import MetadataStore

    with MetadataStore(workspace.store) as store:
        known = {(row["destination"], row["version"]) for row in store.releases(workspace.id)}
    entries = Ledger(workspace.ledger).entries()
    runs = {e.body["decision_sha256"]: e.body["run_id"] for e in entries if e.kind == "decision"}
    for release in releases(entries):
        if (release.destination, str(release.version)) not in known:
            run_id = release.run_id or runs.get(release.decision_sha256)
            writer.write_release(release, workspace_id=workspace.id, run_id=run_id)


def _training(graph: Graph, workspace: Workspace) -> TrainingData | None:
    """The manifest of a run's training cases, from the index that was written of them."""
    wrote = {e.artifact_id: e.execution_id for e in graph.events if e.kind == WROTE}
    component = {e.id: e.component for e in graph.executions}
    for artifact in graph.artifacts:
        of = component.get(wrote.get(artifact.id, 0))
        if artifact.type == "CasegateCaseIndex" and of == "TrainingCases" and artifact.uri:
            return keep_training_data(Path(artifact.uri), workspace.training)
    return None


def keep_training_data(index: Path, folder: Path) -> TrainingData:
    """Writes the manifest into `folder`, unless it holds it already.

    Args:
      index: as CaseExampleGen writes it, a file for each shard, named by its split.
    """
    rows = (
        TrainingRow(**dict(zip(_CASE, _case_values(row))), split=path.name.partition("-")[0])
        for path in sorted(index.glob("*-*.jsonl"))
        for row in read_records(path)
    )
    return write_manifest(rows, folder)


def decided_in(decision: Decision, folder: Path) -> Decided:
    envelope, statement = folder / DECISION_ATTESTATION, None
    if envelope.exists():
        signed = verify(read_envelope(envelope), (), where=str(envelope))
        statement = hashlib.sha256(signed.payload).hexdigest()
    return Decided(
        decision.verdict.value, decision.decision_sha256, decision.hashes["candidate"], statement
    )


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a run's folder but the record, and what more people may sign."""
    left_out = {RUN_RECORD, DECISION_ATTESTATION}
    return {
        path.name: sha256_file(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in left_out and not path.name.startswith(".")
    }


def _peak_bytes() -> int | None:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None
