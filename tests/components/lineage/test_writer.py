from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import StoreAddress
from components.lineage.opening import open_store
from components.lineage.reader import MetadataStore
from components.lineage.writer import close_orphans

EXECUTION, ARTIFACT = mlmd.Execution, mlmd.Artifact
STATES = (EXECUTION.RUNNING, EXECUTION.NEW, EXECUTION.COMPLETE, EXECUTION.FAILED)
MINE, THEIRS = "casegate-0123abcd", "casegate-89abcdef"


@pytest.fixture
def address(tmp_path: Path) -> StoreAddress:
    """What two runs left, in one store: one that was killed, and one of another workspace."""
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path)
    store = open_store(address)
    trainer = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    model = store.put_artifact_type(mlmd.ArtifactType(name="Model"))
    kind = store.put_context_type(mlmd.ContextType(name="pipeline"))
    for name in (MINE, THEIRS):
        (context,) = store.put_contexts([mlmd.Context(type_id=kind, name=name)])
        executions = store.put_executions(
            [EXECUTION(type_id=trainer, last_known_state=state) for state in STATES]
        )
        artifacts = store.put_artifacts(
            [
                ARTIFACT(type_id=model, state=state, uri=f"{name}-{number}")
                for number, state in enumerate((ARTIFACT.PENDING, ARTIFACT.LIVE))
            ]
        )
        store.put_attributions_and_associations(
            [mlmd.Attribution(artifact_id=i, context_id=context) for i in artifacts],
            [mlmd.Association(execution_id=i, context_id=context) for i in executions],
        )
    return address


def closed(address: StoreAddress) -> int:
    with MetadataStore(address) as store:
        return close_orphans(open_store(address), store, pipeline=MINE)


def test_what_a_killed_run_left_open_is_closed_and_another_workspaces_run_goes_on(
    address: StoreAddress,
) -> None:
    assert closed(address) == 2
    store = open_store(address)
    canceled = EXECUTION.CANCELED
    assert [execution.last_known_state for execution in store.get_executions()] == [
        *(canceled, canceled, EXECUTION.COMPLETE, EXECUTION.FAILED),
        *STATES,
    ]
    assert {artifact.uri: artifact.state for artifact in store.get_artifacts()} == {
        f"{MINE}-0": ARTIFACT.DELETED,
        f"{MINE}-1": ARTIFACT.LIVE,
        f"{THEIRS}-0": ARTIFACT.PENDING,
        f"{THEIRS}-1": ARTIFACT.LIVE,
    }


def test_a_second_time_there_is_nothing_to_close(address: StoreAddress) -> None:
    closed(address)
    assert closed(address) == 0
