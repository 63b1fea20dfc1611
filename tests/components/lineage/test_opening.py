import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy
from ml_metadata import errors
from ml_metadata.metadata_store import ListOptions, MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import VARIABLE, StoreAddress
from components.lineage.opening import open_store, types_of
from components.lineage.types import RECORD, TYPES
from components.records.errors import ConfigError
from tests.refusing import refused

PROCESSES, EACH = 8, 5
JSON = mlmd.ArtifactType(name="Report", properties={"span": mlmd.INT})


def sqlite_at(folder: Path) -> StoreAddress:
    return StoreAddress.parse("metadata.sqlite", root=folder)


def type_names(address: StoreAddress) -> list[str]:
    engine = address.engine()
    with engine.connect() as connection:
        names = list(connection.scalars(sqlalchemy.text("SELECT name FROM Type ORDER BY id")))
    engine.dispose()
    return names


def open_and_write(url: str, number: int, barrier, password: str) -> None:
    os.environ[VARIABLE] = password  # the fork server is older than the fixture that sets it
    barrier.wait()
    store = open_store(StoreAddress(url), types=[JSON])
    (type_id,) = [t.id for t in store.get_artifact_types() if t.name == "Report"]
    store.put_artifacts([mlmd.Artifact(type_id=type_id, name=f"{number}-{i}") for i in range(EACH)])


def race(address: StoreAddress) -> None:
    """Eight processes open the same fresh store at the same moment, and write to it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    barrier, password = context.Barrier(PROCESSES), os.environ.get(VARIABLE, "")
    racers = [
        context.Process(target=open_and_write, args=(address.url, number, barrier, password))
        for number in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0] * PROCESSES


def assert_nothing_lost_or_doubled(address: StoreAddress) -> None:
    names = type_names(address)
    assert sorted(set(names)) == sorted(names)
    assert {"Report", RECORD, *TYPES} <= set(names)
    written = {artifact.name for artifact in open_store(address).get_artifacts()}
    assert written == {f"{racer}-{i}" for racer in range(PROCESSES) for i in range(EACH)}


@pytest.mark.process
def test_eight_processes_open_one_fresh_file(tmp_path: Path) -> None:
    race(sqlite_at(tmp_path))
    assert_nothing_lost_or_doubled(sqlite_at(tmp_path))


@pytest.mark.process
def test_eight_processes_open_one_fresh_server(server) -> None:
    address = server.fresh()
    race(address)
    assert_nothing_lost_or_doubled(address)


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    open_store(sqlite_at(tmp_path))
    before = type_names(sqlite_at(tmp_path))
    with open_store(sqlite_at(tmp_path)) as store:
        assert store.get_executions() == []
    assert type_names(sqlite_at(tmp_path)) == before


@pytest.mark.process
def test_names_differ_by_case_accent_and_trailing_space(mariadb) -> None:
    store = open_store(mariadb.fresh())
    type_id = store.put_artifact_type(JSON)
    names = ["Case1", "case1", "càse1", "case1 ", "病例 1"]
    store.put_artifacts([mlmd.Artifact(type_id=type_id, name=name) for name in names])
    assert [artifact.name for artifact in store.get_artifacts()] == names


@pytest.mark.process
def test_no_right_to_make_tables_is_one_line(server) -> None:
    address = server.fresh()
    with refused(ConfigError, address.server.database):
        open_store(server.reading(address))


@pytest.mark.process
def test_a_database_that_folds_case_is_refused(mariadb) -> None:
    address = mariadb.fresh()
    database = address.server.database
    mariadb.run(
        "CREATE USER IF NOT EXISTS maker IDENTIFIED BY 's3cret-Passwort!'",
        f"GRANT SELECT, INSERT, UPDATE, CREATE, INDEX ON {database}.* TO maker",
    )
    with refused(ConfigError, "case"):
        open_store(mariadb.address("maker", database))


def test_types_of_a_graph_and_of_tfxs_cache_are_named_once() -> None:
    context = SimpleNamespace(type=mlmd.ContextType(name="pipeline"))
    spec = SimpleNamespace(artifact_spec=SimpleNamespace(type=JSON))
    nodes = [
        SimpleNamespace(
            pipeline_node=SimpleNamespace(
                node_info=SimpleNamespace(type=mlmd.ExecutionType(name=name)),
                contexts=SimpleNamespace(contexts=[context]),
                outputs=SimpleNamespace(outputs={"report": spec}),
            )
        )
        for name in ("first", "second")
    ]
    names = [message.name for message in types_of(SimpleNamespace(nodes=nodes))]
    assert names == ["execution_cache", "first", "pipeline", "Report", "second"]


def without_filters(*_: object) -> None:
    raise errors.UnimplementedError("filter_query is not supported")


@pytest.mark.parametrize("filters", [True, False])
@pytest.mark.filterwarnings("ignore:.*filter_query")
def test_executions_of_several_contexts_are_found_with_filters_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: bool
) -> None:
    store = open_store(sqlite_at(tmp_path))
    kind = store.put_context_type(mlmd.ContextType(name="kind"))
    of = store.put_execution_type(mlmd.ExecutionType(name="of"))
    contexts = store.put_contexts([mlmd.Context(type_id=kind, name=name) for name in "abc"])
    executions = store.put_executions([mlmd.Execution(type_id=of) for _ in range(7)])
    # The n-th execution is in the contexts that the bits of n name.
    pairs = [
        (e, c) for n, e in enumerate(executions, 1) for i, c in enumerate(contexts) if n >> i & 1
    ]
    links = [mlmd.Association(execution_id=e, context_id=c) for e, c in pairs]
    store.put_attributions_and_associations([], links)
    if not filters:
        monkeypatch.setattr(MetadataStore, "get_executions", without_filters)
    for asked in (contexts[:1], contexts[:2], contexts[1:], contexts):
        query = " AND ".join(f"(contexts_{i}.id = {each})" for i, each in enumerate(asked))
        found = store.get_executions(ListOptions(filter_query=query))
        wanted = {e for e in executions if all((e, c) in pairs for c in asked)}
        assert {each.id for each in found} == wanted


def test_another_question_with_a_filter_is_not_answered_by_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(sqlite_at(tmp_path))
    monkeypatch.setattr(MetadataStore, "get_executions", without_filters)
    with pytest.raises(errors.UnimplementedError):
        store.get_executions(ListOptions(filter_query="contexts_0.id = 1 AND type_id = 2"))
