"""Writes run records into ML Metadata: typed artifacts, tied to what TFX wrote by an execution.

The record in the run's folder and the ledger are what counts; this is the form that can be asked.
Whatever is written twice has a name, so that writing it again changes it and adds nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.decision import Decision
from components.lineage.reader import MetadataStore
from components.lineage.record import RunRecord
from components.lineage.training import TrainingData
from components.lineage.types import (
    CHECK,
    COLUMN,
    ENVIRONMENT,
    RECORD,
    RELEASE,
    RUN,
    TRAINING_DATA,
    TRAINING_DATA_PROPERTIES,
    Value,
    check_properties,
    environment_properties,
    release_properties,
    run_name,
    run_properties,
    stored,
)
from components.records.ledger.records import Release

_CONTEXT = "pipeline_run"
_OF_PIPELINE = "JOIN Type k ON k.id = c.type_id AND k.name = 'pipeline' WHERE c.name = :pipeline"


class RecordWriter:
    """Attributes:
    store: as components/lineage/opening.py opens it, with casegate's types registered.
    """

    def __init__(self, store: metadata_store.MetadataStore) -> None:
        self.store = store
        self._types: dict[str, int] = {}

    def write_run(
        self,
        record: RunRecord,
        folder: str,
        *,
        training: TrainingData | None = None,
        decision: Decision | None = None,
    ) -> None:
        """Writes a record and what belongs to it; anew where it is there already.

        Args:
          folder: the run's folder, the URI of its artifact.
          training: the manifest of its training data, where it came that far.
          decision: its checks become artifacts of their own.
        """
        name = run_name(record.workspace_id, record.run_id)
        environment = record.environment
        properties = environment_properties(record)
        packages = environment.packages
        read = [self._put(ENVIRONMENT, environment.sha256, "", properties, custom=packages)]
        if training is not None:
            read.append(self._training(training, record))
        read += self._of_tfx(record.store.pipeline_run, ("CasegateDecision", "PushedModel"))
        run = self._put(RUN, name, folder, run_properties(record))
        for check in decision.checks if decision else ():
            properties = check_properties(record, check)
            self._put(CHECK, f"{name}/{check.check}", folder, properties)
        self._tie(f"record of {name}", read, [run], running=record.state == "running")

    def write_release(self, release: Release, *, workspace_id: str, run_id: str | None) -> None:
        """Writes a version that was put in a destination, as the ledger has it."""
        name = f"{run_name(workspace_id, release.destination)}/{release.version}"
        properties = release_properties(release, workspace_id=workspace_id, run_id=run_id)
        artifact = self._put(RELEASE, name, f"{release.destination}/{release.version}", properties)
        read = []
        if run_id:
            run = self.store.get_artifact_by_type_and_name(RUN, run_name(workspace_id, run_id))
            read = [run.id] if run else []
        self._tie(f"release of {name}", read, [artifact])

    def _training(self, training: TrainingData, record: RunRecord) -> int:
        flat = {
            **vars(record.inputs),
            **vars(training),
            "training_root": training.root,
            **{f"{split}_cases": count for split, count in training.splits.items()},
        }
        properties = stored(flat, TRAINING_DATA_PROPERTIES)
        return self._put(TRAINING_DATA, training.root, str(training.path), properties)

    def _of_tfx(self, pipeline_run: str, types: Iterable[str]) -> list[int]:
        """Ids of the artifacts of these types in TFX's context of the run, if it has one."""
        context = self.store.get_context_by_type_and_name(_CONTEXT, pipeline_run)
        if context is None:
            return []
        wanted = {kind.id for kind in self.store.get_artifact_types() if kind.name in types}
        found = self.store.get_artifacts_by_context(context.id)
        return [artifact.id for artifact in found if artifact.type_id in wanted]

    def _put(
        self,
        type_name: str,
        name: str,
        uri: str,
        properties: Mapping[str, Value],
        *,
        custom: Mapping[str, str] | None = None,
    ) -> int:
        known = self.store.get_artifact_by_type_and_name(type_name, name)
        artifact = mlmd.Artifact(type_id=self._type_id(type_name), name=name, uri=uri)
        artifact.state = mlmd.Artifact.LIVE
        if known is not None:
            artifact.id = known.id
        for key, value in properties.items():
            setattr(artifact.properties[key], COLUMN[type(value)], value)
        for key, value in (custom or {}).items():
            artifact.custom_properties[key].string_value = value
        return int(self.store.put_artifacts([artifact])[0])

    def _tie(
        self, name: str, read: Iterable[int], wrote: Iterable[int], *, running: bool = False
    ) -> None:
        """An execution that read and wrote these; its events are added once."""
        known = self.store.get_execution_by_type_and_name(RECORD, name)
        execution = mlmd.Execution(type_id=self._type_id(RECORD), name=name)
        states = mlmd.Execution
        execution.last_known_state = states.RUNNING if running else states.COMPLETE
        there: set[tuple[int, int]] = set()
        if known is not None:
            execution.id = known.id
            events = self.store.get_events_by_execution_ids([known.id])
            there = {(event.artifact_id, event.type) for event in events}
        (execution_id,) = self.store.put_executions([execution])
        wanted = [(id_, mlmd.Event.INPUT) for id_ in read]
        wanted += [(id_, mlmd.Event.OUTPUT) for id_ in wrote]
        missing = [
            mlmd.Event(execution_id=execution_id, artifact_id=artifact_id, type=kind)
            for artifact_id, kind in wanted
            if (artifact_id, kind) not in there
        ]
        if missing:
            self.store.put_events(missing)

    def _type_id(self, name: str) -> int:
        if name not in self._types:
            get = self.store.get_execution_type if name == RECORD else self.store.get_artifact_type
            self._types[name] = get(name).id
        return self._types[name]


def close_orphans(metadata: Any, store: MetadataStore, *, pipeline: str) -> int:
    """Marks every RUNNING execution of a pipeline CANCELED and its pending artifacts DELETED.

    Only to be called by the one run that holds the pipeline's workspace; other workspaces may be
    running in the same store.

    Args:
      metadata: an open MetadataStore, to write with.
      store: the same, to find them with: years of executions may lie there.

    Returns:
      How many executions were closed.
    """
    orphans = store.query(
        "SELECT e.id FROM Execution e JOIN Association s ON s.execution_id = e.id "
        f"JOIN Context c ON c.id = s.context_id {_OF_PIPELINE} AND e.last_known_state IN (1, 2)",
        pipeline=pipeline,
    )
    pending = store.query(
        "SELECT a.id FROM Artifact a JOIN Attribution s ON s.artifact_id = a.id "
        f"JOIN Context c ON c.id = s.context_id {_OF_PIPELINE} AND a.state = 1",
        pipeline=pipeline,
    )
    if orphans:
        executions = metadata.get_executions_by_id([row["id"] for row in orphans])
        for execution in executions:
            execution.last_known_state = mlmd.Execution.CANCELED
        metadata.put_executions(executions)
    if pending:
        artifacts = metadata.get_artifacts_by_id([row["id"] for row in pending])
        for artifact in artifacts:
            artifact.state = mlmd.Artifact.DELETED
        metadata.put_artifacts(artifacts)
    return len(orphans)
