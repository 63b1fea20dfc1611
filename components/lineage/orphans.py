"""Closes what a killed run left open in ML Metadata: executions that run for ever."""

from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd


def close_orphans(database: Path) -> int:
    """Marks every RUNNING execution CANCELED and its pending artifacts DELETED.

    Only to be called by the one run that holds the workspace.

    Returns:
      How many executions were closed.
    """
    if not database.exists():
        return 0
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    store = metadata_store.MetadataStore(config)
    orphans = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state in (mlmd.Execution.RUNNING, mlmd.Execution.NEW)
    ]
    for execution in orphans:
        execution.last_known_state = mlmd.Execution.CANCELED
    if orphans:
        store.put_executions(orphans)
    pending = [
        artifact for artifact in store.get_artifacts() if artifact.state == mlmd.Artifact.PENDING
    ]
    for artifact in pending:
        artifact.state = mlmd.Artifact.DELETED
    if pending:
        store.put_artifacts(pending)
    return len(orphans)
