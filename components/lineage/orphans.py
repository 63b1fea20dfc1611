"""Closes what a killed run left open in ML Metadata: executions that run for ever."""

from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.reader import MetadataStore

_OF_PIPELINE = "JOIN Type k ON k.id = c.type_id AND k.name = 'pipeline' WHERE c.name = :pipeline"


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
