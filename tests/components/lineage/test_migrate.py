import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage import migrate as migrating
from components.lineage.address import VARIABLE, StoreAddress
from components.lineage.migrate import migrate, unmark
from components.lineage.opening import WritableStore, open_store
from components.lineage.reader import MetadataStore
from components.lineage.tables import TABLES, content, store_facts
from components.records.errors import ConfigError, IntegrityError
from tests.refusing import refused

BATCH = 7
TEXTS = [
    "",
    " ",
    "Case1",
    "case1",
    "case1 ",
    r"C:\new",
    "'; --",
    "é 肺炎 🫁",
    "a\r\nb",
    "1",
    "true",
]
NUMBERS = [0.1, -0.0, 1e308, 5e-324, 3.0, float("inf")]


def silent(*_: object) -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> StoreAddress:
    """A store with every kind of row and value that ML Metadata has."""
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path)
    fill(open_store(address))
    with sqlite3.connect(tmp_path / "metadata.sqlite") as connection:
        connection.execute("DELETE FROM Execution WHERE id = (SELECT max(id) FROM Execution)")
    return address


def fill(store: WritableStore) -> None:
    kinds = {"s": mlmd.STRING, "i": mlmd.INT, "d": mlmd.DOUBLE, "b": mlmd.BOOLEAN}
    kinds |= {"t": mlmd.STRUCT, "p": mlmd.PROTO}
    base = mlmd.ArtifactType.DESCRIPTOR.fields_by_name["base_type"].enum_type
    report = mlmd.ArtifactType(name="Report", properties=kinds)
    report.base_type = base.values_by_name["DATASET"].number
    artifact_type = store.put_artifact_type(report)
    execution_type = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    context_type = store.put_context_type(mlmd.ContextType(name="pipeline"))
    artifacts = []
    for number, text in enumerate(TEXTS):
        made = mlmd.Artifact(type_id=artifact_type, name=f"{number}{text}", uri=text)
        made.state = mlmd.Artifact.LIVE
        made.properties["s"].string_value = text
        made.properties["i"].int_value = number - 2**31
        made.properties["d"].double_value = NUMBERS[number % 5]
        made.properties["b"].bool_value = bool(number % 2)
        made.properties["t"].struct_value["x"] = text
        made.properties["p"].proto_value.type_url = "type.example/x"
        made.properties["p"].proto_value.value = bytes(range(256))
        made.custom_properties[text or "empty"].bool_value = False
        artifacts.append(made)
    ids = store.put_artifacts(artifacts)
    states = [mlmd.Execution.COMPLETE] * 5
    executions = store.put_executions(
        [mlmd.Execution(type_id=execution_type, last_known_state=state) for state in states]
    )
    contexts = store.put_contexts(
        [mlmd.Context(type_id=context_type, name=name) for name in ("one", "two")]
    )
    store.put_parent_contexts([mlmd.ParentContext(child_id=contexts[0], parent_id=contexts[1])])
    events = [mlmd.Event(artifact_id=id_, execution_id=executions[0]) for id_ in ids]
    for event in events:
        event.type = mlmd.Event.OUTPUT
        event.path.steps.add().key = "reports"
        event.path.steps.add().index = event.artifact_id
    store.put_events(events)
    store.put_attributions_and_associations(
        [mlmd.Attribution(artifact_id=id_, context_id=contexts[0]) for id_ in ids],
        [mlmd.Association(execution_id=id_, context_id=contexts[1]) for id_ in executions],
    )


def everything(address: StoreAddress) -> list:
    """All that ML Metadata's own client can tell of a store."""
    store = open_store(address)
    ids = [artifact.id for artifact in store.get_artifacts()]
    found = [*store.get_artifact_types(), *store.get_artifacts(), *store.get_executions()]
    found += [*store.get_contexts(), *store.get_events_by_artifact_ids(ids)]
    for context in store.get_contexts():
        found += store.get_parent_contexts_by_context(context.id)
    return sorted(str(message) for message in found)


def copied(address: StoreAddress, target: StoreAddress) -> StoreAddress:
    migrate(address, target, progress=silent, batch=BATCH)
    unmark(target)
    return target


@pytest.mark.process
def test_a_copy_is_the_original_for_every_client(source, server) -> None:
    target = copied(source, server.fresh())
    assert everything(target) == everything(source)
    with MetadataStore(source) as old, MetadataStore(target) as new:
        ids = [row["artifact_id"] for row in old.query("SELECT artifact_id FROM artifacts")]
        assert new.artifacts(ids) == old.artifacts(ids)


@pytest.mark.process
def test_new_ids_go_on_where_the_original_was(source, server) -> None:
    """Also after a row that was deleted: no id is ever given twice."""
    target = copied(source, server.fresh())
    following = []
    for address in (source, target):
        store = open_store(address)
        kind = store.get_execution_type("Trainer").id
        following.append(store.put_executions([mlmd.Execution(type_id=kind)]))
    assert following == [[6], [6]]


def copy_until_killed(source: str, target: str, password: str) -> None:
    """Dies before its fifth batch is committed."""
    os.environ[VARIABLE] = password
    copied = []

    def die(_: object) -> None:
        if len(copied) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(what: str, done: int, rows: int) -> None:
        if what.startswith("copying"):
            copied.append(what)

    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", die)
    migrate(StoreAddress(source), StoreAddress(target), progress=note, batch=BATCH)


@pytest.mark.process
def test_a_copy_that_is_killed_again_and_again_gets_done(source, server) -> None:
    target, deaths = server.fresh(), 0
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    while True:
        arguments = (source.url, target.url, os.environ[VARIABLE])
        child = context.Process(target=copy_until_killed, args=arguments)
        child.start()
        child.join(60)
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        deaths += 1
        assert deaths < 60
    assert deaths > 3
    unmark(target)
    assert everything(target) == everything(source)


@pytest.mark.process
def test_a_source_that_grew_meanwhile_is_copied_anew(source, server, monkeypatch) -> None:
    target = server.fresh()
    stop_at(monkeypatch, "Event")
    with pytest.raises(InterruptedError):
        migrate(source, target, progress=silent, batch=BATCH)
    monkeypatch.undo()
    monkeypatch.setenv(VARIABLE, "s3cret-Passwort!")
    store = open_store(source)
    (changed,) = store.get_artifacts_by_id([1])
    changed.custom_properties["later"].string_value = "x"
    store.put_artifacts([changed])
    assert everything(copied(source, target)) == everything(source)


def stop_at(monkeypatch: pytest.MonkeyPatch, stop: str) -> None:
    copy = migrating._copy

    def interrupted(old, writing, table, *rest) -> None:
        if table == stop:
            raise InterruptedError
        copy(old, writing, table, *rest)

    monkeypatch.setattr(migrating, "_copy", interrupted)


@pytest.mark.process
def test_a_target_with_other_data_is_refused_and_left_alone(source, server) -> None:
    target = server.fresh()
    store = open_store(target)
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Theirs"))
    store.put_artifacts([mlmd.Artifact(type_id=kind, name="theirs")])
    before = everything_small(target)
    with refused(ConfigError, "1 in Artifact"):
        migrate(source, target, progress=silent)
    assert everything_small(target) == before


def everything_small(address: StoreAddress) -> dict:
    engine = address.engine()
    with engine.connect() as connection:
        found = {table: content(connection, table) for table in TABLES}
    engine.dispose()
    return found


@pytest.mark.process
def test_the_unfinished_copy_of_another_store_is_refused(source, server, monkeypatch) -> None:
    target = server.fresh()
    stop_at(monkeypatch, "Event")
    with pytest.raises(InterruptedError):
        migrate(source, target, progress=silent)
    assert source.path
    other = source.path.rename(source.path.with_name("other.sqlite"))
    with refused(ConfigError, source.path):
        migrate(StoreAddress.parse(str(other), root=Path()), target, progress=silent)


@pytest.mark.process
@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE ArtifactProperty SET bool_value = NOT bool_value WHERE artifact_id = 2",
        "UPDATE Artifact SET name = 'x' WHERE id = 2",
        "DELETE FROM EventPath WHERE event_id = 3",
        "UPDATE Execution SET last_update_time_since_epoch = 1 WHERE id = 1",
    ],
)
def test_a_copy_that_differs_is_found(source, server, monkeypatch, fault: str) -> None:
    def spoil(_: object, writing) -> None:
        with writing.begin() as connection:
            connection.exec_driver_sql(fault)

    monkeypatch.setattr(migrating, "_count_on", spoil)
    with refused(IntegrityError, f"table {fault.split()[1 if 'UP' in fault else 2]} "):
        migrate(source, server.fresh(), progress=silent)


@pytest.mark.process
def test_a_number_that_the_server_cannot_hold_is_one_line(source, server) -> None:
    with sqlite3.connect(str(source.path)) as connection:
        connection.execute("UPDATE ArtifactProperty SET int_value = 3000000000 WHERE name = 'i'")
    with refused(ConfigError, "ArtifactProperty", "range"):
        migrate(source, server.fresh(), progress=silent)


@pytest.mark.process
def test_progress_says_how_far_each_table_is(source, postgresql) -> None:
    told: list[tuple[str, int, int]] = []
    migrate(source, postgresql.fresh(), progress=lambda *words: told.append(words), batch=BATCH)
    of_artifacts = [done for what, done, _ in told if what == "copying Artifact"]
    assert of_artifacts == [BATCH, len(TEXTS)]


def test_only_a_file_can_be_copied_to_a_server(source) -> None:
    with refused(ConfigError, "SQLite"):
        migrate(source, source, progress=silent)


def test_a_database_that_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(b"no database" * 100)
    with refused(ConfigError, tmp_path / "metadata.sqlite", "cannot be opened"):
        unmark(StoreAddress.parse("metadata.sqlite", root=tmp_path))


def test_tables_whose_making_was_interrupted_are_one_line(tmp_path: Path) -> None:
    made = sqlite3.connect(tmp_path / "metadata.sqlite")
    made.execute("CREATE TABLE MLMDEnv (schema_version INT)").connection.commit()
    with refused(ConfigError, tmp_path / "metadata.sqlite", "not complete"):
        store_facts(StoreAddress.parse("metadata.sqlite", root=tmp_path))
