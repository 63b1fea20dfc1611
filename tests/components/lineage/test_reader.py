"""What reads needs SELECT and nothing more, and reads the same from every database."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import StoreAddress
from components.lineage.migrate import migrate, unmark
from components.lineage.opening import WritableStore, open_store
from components.lineage.reader import MetadataStore
from components.lineage.record import Code, Environment, RunRecord, Seeds, Stored, Where, Who, Why
from components.lineage.tables import store_facts
from components.lineage.types import TYPES
from components.lineage.views import VIEWS
from components.lineage.writer import RecordWriter
from components.records.errors import ConfigError
from components.records.ledger.records import Release
from tests.refusing import refused
from tests.servers.databases import DatabaseServer

pytestmark = pytest.mark.process

WORKSPACE, RUN, PIPELINE_RUN = "0123abcd", "20260101T000000.000000Z", "casegate-0123abcd.run"
PACKAGES = {"Jinja2": "3.1", "jinja2": "3.0", "numpy": "1.26"}
ENVIRONMENT = Environment("3.10", "Linux é", None, 2, 8 * 2**30, None, None, PACKAGES)
READ_WORDS = ("SELECT", "WITH", "SHOW", "SET", "ROLLBACK", "PRAGMA")

# Every question that the reader can be asked.
QUESTIONS: dict[str, Callable[[MetadataStore], Any]] = {
    "runs": lambda store: store.runs(WORKSPACE, state="blocked", exit_code=1),
    "run": lambda store: store.run(WORKSPACE, RUN),
    "checks": lambda store: store.checks(WORKSPACE, RUN),
    "releases": lambda store: store.releases(WORKSPACE),
    "environment": lambda store: store.environment(ENVIRONMENT.sha256),
    "packages": lambda store: store.packages(ENVIRONMENT.sha256),
    "environments": lambda store: store.query(
        "SELECT environment_sha256 FROM packages WHERE package = :package AND version = :version",
        package="jinja2",
        version="3.0",
    ),
    "training_set": lambda store: store.training_set("0" * 64),
    "run_graph": lambda store: store.run_graph(PIPELINE_RUN),
    "run_graph.sha256": lambda store: store.run_graph(PIPELINE_RUN).sha256,
    **{
        f"view {name}": lambda store, name=name: sorted(
            map(str, store.query(f"SELECT * FROM {name}"))
        )
        for name in VIEWS
    },
}
UNANSWERED = {"checks", "training_set", "training_sets"}  # nothing of the kind is in the store


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> StoreAddress:
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path_factory.mktemp("source"))
    fill(address)
    return address


def fill(address: StoreAddress) -> None:
    """A run of TFX, its record and its release."""
    store = open_store(address)
    run_of_tfx(store)
    write_records(store)


def write_records(store: WritableStore) -> None:
    writer = RecordWriter(store)
    record = RunRecord(
        run_id=RUN,
        workspace_id=WORKSPACE,
        state="blocked",
        started="2026-01-01T00:00:00.000Z",
        who=Who("o'neill", "host\\name", None),
        where=Where(None, None, None, "Ünïcode <a@b>"),
        why=Why("manual", "'; DROP TABLE Type; --\n\\"),
        code=Code("ab" * 20, True, None, "cd" * 32),
        environment=ENVIRONMENT,
        seeds=Seeds(1, True),
        store=Stored("casegate-0123abcd", PIPELINE_RUN),
        exit_code=1,
    )
    writer.write_run(record, "/runs/1")
    released = Release("serving/x", 3, "ef" * 32, "12" * 32, 4, "release", "A. Person", "2026")
    writer.write_release(released, workspace_id=WORKSPACE, run_id=RUN)


def run_of_tfx(store: WritableStore) -> None:
    """Two components as TFX writes them: one writes what the other reads."""
    run = mlmd.Context(type_id=store.put_context_type(mlmd.ContextType(name="pipeline_run")))
    run.name = PIPELINE_RUN
    kind = mlmd.ExecutionType(name="tfx.Trainer", properties={})
    execution = mlmd.Execution(type_id=store.put_execution_type(kind))
    execution.last_known_state = mlmd.Execution.COMPLETE
    execution.custom_properties["epochs"].int_value = 3
    execution.custom_properties["deterministic"].bool_value = False
    artifact_type = mlmd.ArtifactType(name="Model", properties={"score": mlmd.DOUBLE})
    model = mlmd.Artifact(type_id=store.put_artifact_type(artifact_type), uri="/a/m\\1")
    model.state = mlmd.Artifact.LIVE
    model.properties["score"].double_value = 0.25
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = "model"
    event.path.steps.add().index = 0
    store.put_execution(execution, [(model, event)], [run])


@pytest.fixture
def statements() -> list[str]:
    """Every statement that SQLAlchemy sends meanwhile."""
    sent: list[str] = []

    def note(connection, cursor, statement, *_: object) -> None:
        sent.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    yield sent
    sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)


@pytest.fixture
def reading(source, server) -> StoreAddress:
    """The store on a server, for a role that has SELECT and no other right."""
    target = server.fresh()
    migrate(source, target, progress=lambda *_: None)
    unmark(target)
    return server.reading(target)


def test_each_question_is_answered_with_select_alone(source, reading, statements) -> None:
    with MetadataStore(source) as original, MetadataStore(reading) as store:
        statements.clear()
        for name, ask in QUESTIONS.items():
            wanted = ask(original)
            assert ask(store) == wanted, name
            assert bool(wanted) != (name.removeprefix("view ") in UNANSWERED), name
    assert len(statements) > 2 * len(QUESTIONS)
    assert [s for s in statements if not s.strip().startswith(READ_WORDS)] == []


def test_the_facts_of_a_store_need_select_alone(reading, statements) -> None:
    facts = store_facts(reading)
    assert facts.rights == ("read",)
    assert facts.rows["Artifact"] == 4
    assert [s for s in statements if not s.strip().startswith(READ_WORDS)] == []


def test_the_role_could_not_write_if_it_wanted_to(reading) -> None:
    engine = reading.engine(read_only=False)
    with engine.connect() as connection:
        for statement in ("DELETE FROM Artifact", "CREATE TABLE mine (id INT)"):
            with pytest.raises(sqlalchemy.exc.DBAPIError, match="denied"):
                connection.exec_driver_sql(statement)
            connection.rollback()
    engine.dispose()


def test_a_question_that_writes_is_refused_to_the_owner_too(source, server, tmp_path: Path) -> None:
    target = server.fresh()
    open_store(target)
    for address in (source, target):
        with MetadataStore(address) as store, refused(ConfigError, address.url) as caught:
            store.query("DELETE FROM Artifact")
        assert re.search("read.?only", str(caught.value), re.I)


def test_a_table_without_select_is_one_line(server) -> None:
    target = server.fresh()
    open_store(target)
    reader = server.reading(target)
    server.revoke_read(target.server.database)
    with refused(ConfigError, "denied"), MetadataStore(reader) as store:
        store.runs(WORKSPACE)


def test_what_is_written_to_a_server_reads_as_from_a_file(source, server) -> None:
    target = server.fresh()
    fill(target)
    write_records(open_store(target))  # writing again changes what is there and adds nothing
    with MetadataStore(source) as original, MetadataStore(target) as store:
        assert len(store.query("SELECT * FROM runs")) == 1
        for name in ("runs", "run", "releases", "environment", "packages", "environments"):
            ask = QUESTIONS[name]
            assert listed(ask(store)) == listed(ask(original)), name


def listed(answer: Any) -> list[Any]:
    """Rows without their ids, which may differ."""
    rows = answer if isinstance(answer, list) else [answer]
    return [{**row, "artifact_id": None} if isinstance(row, dict) else row for row in rows]


@pytest.fixture
def address(server: DatabaseServer) -> StoreAddress:
    """A fresh store as its owner reaches it, who could write."""
    found = server.fresh()
    open_store(found)
    return found


def test_colons_and_per_cent_signs_are_taken_literally(address: StoreAddress) -> None:
    with MetadataStore(address) as store:
        found = store.select("SELECT ':name 100%' AS words, 7 % 4 AS rest", limit=1)
    assert found.columns == ("words", "rest")
    assert found.rows == ((":name 100%", 3),)


def test_views_can_be_named_and_rows_are_limited(address: StoreAddress) -> None:
    with MetadataStore(address) as store:
        assert store.select("SELECT state FROM runs", limit=5).rows == ()
        found = store.select("SELECT name FROM Type WHERE name LIKE 'Case%'", limit=2)
    assert len(found.rows) == 2 and found.cut
    assert found.rows[0][0] in TYPES


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM Artifact",
        "SELECT 1; DELETE FROM Type",
        "SELECT E'a\\'' AS x; DELETE FROM Type; --'",
        "SELECT 1; SET TRANSACTION READ WRITE; DELETE FROM Type",
        "WITH gone AS (DELETE FROM Type RETURNING id) SELECT * FROM gone",
    ],
)
def test_nothing_is_written_whatever_the_query_says(address: StoreAddress, query: str) -> None:
    with MetadataStore(address) as store:
        before = store.select("SELECT count(*) FROM Type", limit=1).rows
        with refused(ConfigError):
            store.select(query, limit=1)
        assert store.select("SELECT count(*) FROM Type", limit=1).rows == before


def test_sqlite_does_the_same(tmp_path: Path) -> None:
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path)
    open_store(address)
    with MetadataStore(address) as store:
        assert store.select("SELECT ':a 100%' AS words", limit=1).rows == ((":a 100%",),)
        with pytest.raises(ConfigError):
            store.select("SELECT 1; DELETE FROM Type", limit=1)
        with refused(ConfigError, "readonly"):
            store.select("DELETE FROM Type", limit=1)
