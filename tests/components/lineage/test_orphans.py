from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.orphans import close_orphans

pytestmark = pytest.mark.tensorflow

EXECUTION, ARTIFACT = mlmd.Execution, mlmd.Artifact


def opened(database: Path) -> metadata_store.MetadataStore:
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    return metadata_store.MetadataStore(config)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """What a run leaves that was killed while it trained: one of everything."""
    path = tmp_path / "metadata.sqlite"
    store = opened(path)
    execution_type = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    artifact_type = store.put_artifact_type(mlmd.ArtifactType(name="Model"))
    states = [EXECUTION.RUNNING, EXECUTION.NEW, EXECUTION.COMPLETE, EXECUTION.FAILED]
    store.put_executions(
        [EXECUTION(type_id=execution_type, last_known_state=state) for state in states]
    )
    kept = [ARTIFACT.PENDING, ARTIFACT.LIVE]
    store.put_artifacts(
        [
            ARTIFACT(type_id=artifact_type, state=state, uri=f"model-{number}")
            for number, state in enumerate(kept)
        ]
    )
    return path


def test_what_a_killed_run_left_open_is_closed(database: Path) -> None:
    assert close_orphans(database) == 2
    store = opened(database)
    assert [execution.last_known_state for execution in store.get_executions()] == [
        EXECUTION.CANCELED,
        EXECUTION.CANCELED,
        EXECUTION.COMPLETE,
        EXECUTION.FAILED,
    ]
    states = {artifact.uri: artifact.state for artifact in store.get_artifacts()}
    assert states == {"model-0": ARTIFACT.DELETED, "model-1": ARTIFACT.LIVE}


def test_a_second_time_there_is_nothing_to_close(database: Path) -> None:
    close_orphans(database)
    assert close_orphans(database) == 0


def test_a_workspace_without_a_database_gets_none(tmp_path: Path) -> None:
    assert close_orphans(tmp_path / "metadata.sqlite") == 0
    assert not (tmp_path / "metadata.sqlite").exists()
