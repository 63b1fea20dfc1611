import io
import logging
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import (
    FILE_VARIABLE,
    VARIABLE,
    Redacting,
    StoreAddress,
    read_password,
    with_password,
)
from components.lineage.opening import open_store
from components.records.errors import ConfigError
from tests.refusing import refused

ROOT = Path("/somewhere")
SECRET = "hunter2-is-secret"


def parse(text: str, root: Path = ROOT) -> StoreAddress:
    return StoreAddress.parse(text, root=root)


@pytest.fixture
def no_password(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    return monkeypatch


@pytest.mark.parametrize("text", ["metadata.sqlite", "sqlite:metadata.sqlite"])
def test_a_plain_path_is_a_file_beside_the_workspace(text: str) -> None:
    assert parse(text).path == ROOT / "metadata.sqlite"
    assert parse(text).kind == "sqlite"


def test_an_address_reads_back_as_itself() -> None:
    for text in ("x/metadata.sqlite", "postgresql://me@db.example/store"):
        assert parse(parse(text).url) == parse(text)


def test_the_parts_of_a_server() -> None:
    server = parse("postgresql://da%40ta@db.example/store").server
    assert (server.user, server.host, server.port) == ("da@ta", "db.example", 5432)
    assert parse("mysql://me@10.0.0.1:3307/store").server.port == 3307
    assert parse("mysql://me@/store?socket=/run/my.sock").server.socket == "/run/my.sock"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://me:{SECRET}@db/store",
        f"mysql://me:{SECRET}@db/store",
        f"postgresql://me:#{SECRET}@db/store",
        f"postgresql://me:a/{SECRET}@db:1/store",
        f"postgresql://me@db:{SECRET}/store",
        f"postgresql://me@db/store?password={SECRET}",
        f"postgresql://me@db/store#{SECRET}",
        f"postgresql://:{SECRET}@db/store",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with refused(ConfigError) as caught:
        parse(text)
    assert SECRET not in str(caught.value)


def test_the_refusal_says_where_a_password_goes() -> None:
    with refused(ConfigError, VARIABLE, FILE_VARIABLE):
        parse(f"postgresql://me:{SECRET}@db/store")


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("postgres://me@db/store", ["did you mean 'postgresql'"]),
        ("postgresql://db/store", ["user"]),
        ("postgresql://me@db", ["database"]),
        ("postgresql://me@db/a/b", ["database"]),
        ("postgresql://me@/store", ["host"]),
        ("mysql://me@db/store?socket=/x", ["host"]),
        ("mysql://me@db/store?colour=red", ["'colour'"]),
        ("sqlite:", ["sqlite:PATH"]),
    ],
)
def test_what_is_no_address_is_refused(text: str, facts: list[str]) -> None:
    with refused(ConfigError, *facts):
        parse(text)


def test_a_file_that_others_can_read_is_refused(no_password, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    no_password.setenv(FILE_VARIABLE, str(file))
    file.chmod(0o640)
    with refused(ConfigError, "mode 640", "chmod 600"):
        read_password()
    file.chmod(0o600)
    assert read_password() == SECRET


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_password_is_refused(no_password, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(0o600)
    no_password.setenv(FILE_VARIABLE, str(file))
    with refused(ConfigError, file):
        read_password()


def test_two_places_for_a_password_are_refused(no_password) -> None:
    no_password.setenv(VARIABLE, SECRET)
    no_password.setenv(FILE_VARIABLE, "/somewhere")
    with refused(ConfigError, VARIABLE, FILE_VARIABLE):
        read_password()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_only_the_connection_to_write_with_holds_the_password(no_password, scheme: str) -> None:
    no_password.setenv(VARIABLE, SECRET)
    address = parse(f"{scheme}://me@db:77/store")
    assert SECRET in str(with_password(address.tfx_config()))
    for shown in (str(address), repr(address), str(address.tfx_config()), str(address.server)):
        assert SECRET not in shown


def test_a_file_has_no_password(no_password, tmp_path: Path) -> None:
    no_password.setenv(VARIABLE, SECRET)
    config = parse("metadata.sqlite", tmp_path).tfx_config()
    assert SECRET not in str(with_password(config))


def test_log_records_lose_secrets_wherever_they_are() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redacting([SECRET, None, ""]))
    logger = logging.Logger("library")
    logger.addHandler(handler)
    logger.info("password: %s", SECRET)
    try:
        raise ValueError(f"cannot connect with {SECRET}")
    except ValueError:
        logger.exception("failed")
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("[password]") == 2
    assert "ValueError: cannot connect with" in stream.getvalue()


@pytest.mark.parametrize("name", ["metadata.sqlite", "odd ?mode=rwc#%41é.sqlite"])
def test_a_file_is_opened_read_only(tmp_path: Path, name: str) -> None:
    sqlite3.connect(tmp_path / name).execute("CREATE TABLE numbers (n INT)").connection.commit()
    engine = parse(name, tmp_path).engine()
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.OperationalError):
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with refused(ConfigError, tmp_path / "metadata.sqlite"):
        parse("metadata.sqlite", tmp_path).engine()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_a_server_refuses_to_write_where_only_reading_was_asked(server) -> None:
    address = server.fresh()
    store = open_store(address)
    type_id = store.put_artifact_type(mlmd.ArtifactType(name="Report"))
    engine = address.engine()
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError) as refused:
        connection.exec_driver_sql("DELETE FROM Type")
    assert "read" in str(refused.value.orig).lower()
    engine.dispose()
    assert type_id in [known.id for known in store.get_artifact_types()]


@pytest.mark.process
def test_a_server_that_is_not_there_is_one_line(server) -> None:
    address = server.address("casegate", "store", port=1)
    with refused(ConfigError, "is the server running"):
        address.engine()


@pytest.mark.process
def test_an_unknown_database_is_one_line(server) -> None:
    with refused(ConfigError, "nosuch"):
        server.address("casegate", "nosuch").engine()


@pytest.mark.process
def test_a_wrong_password_is_one_line_and_not_repeated(server, monkeypatch) -> None:
    address = server.fresh()
    monkeypatch.setenv(VARIABLE, SECRET)
    with refused(ConfigError, "is not right") as caught:
        address.engine()
    monkeypatch.delenv(VARIABLE)
    with refused(ConfigError, "none was given"):
        address.engine()
    assert SECRET not in str(caught.value)


@pytest.mark.process
def test_text_reads_back_as_ml_metadata_wrote_it(server) -> None:
    address = server.fresh()
    store = open_store(address)
    text = "'; DROP TABLE Type; -- \\ \" é ☃ 肺炎 \r\n\t 🫁"
    type_id = store.put_artifact_type(mlmd.ArtifactType(name="Report"))
    store.put_artifacts([mlmd.Artifact(type_id=type_id, name=text)])
    engine = address.engine()
    with engine.connect() as connection:
        query = sqlalchemy.text("SELECT name FROM Artifact WHERE name = :name")
        assert connection.scalar(query, {"name": text}) == text
    engine.dispose()
