"""The metadata store as others read it: ML Metadata's own client, sqlite3 and psql."""

import json
import os
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import StoreAddress
from components.lineage.opening import open_store
from components.lineage.record import RunRecord
from components.lineage.writer import RecordWriter
from tests.components.lineage.test_record import record
from tests.foreign import answer, needs
from tests.servers.databases import PASSWORD

ODD = 'it\'s; -- "odd"\n日本'
# Artifacts of a type with one of their properties, in the tables that ML Metadata documents.
QUERY = """
SELECT p.string_value AS error, a.uri AS uri FROM Artifact a
JOIN Type t ON t.id = a.type_id JOIN ArtifactProperty p ON p.artifact_id = a.id
WHERE t.name = 'CasegateRun' AND p.name = 'error'
"""


def written(address: StoreAddress) -> RunRecord:
    made = record(error=ODD)
    RecordWriter(open_store(address)).write_run(made, "/runs/1")
    return made


@pytest.fixture
def sqlite(tmp_path: Path) -> StoreAddress:
    return StoreAddress.parse("metadata.sqlite", root=tmp_path)


def test_ml_metadatas_own_client_finds_the_run_its_type_and_its_packages(
    sqlite: StoreAddress,
) -> None:
    made = written(sqlite)
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(sqlite.path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = metadata_store.MetadataStore(config)
    (run,) = store.get_artifacts_by_type("CasegateRun")
    said = run.properties
    assert (said["run_id"].string_value, said["error"].string_value) == (made.run_id, ODD)
    assert store.get_artifact_type("CasegateRun").properties["exit_code"] == mlmd.INT
    (environment,) = store.get_artifacts_by_type("CasegateEnvironment")
    assert "3" in [value.string_value for value in environment.custom_properties.values()]


def test_sqlite3_reads_the_run_and_finds_the_file_sound(sqlite: StoreAddress) -> None:
    written(sqlite)
    sqlite3 = [needs("sqlite3", "Debian's sqlite3"), "-readonly", "-json", str(sqlite.path)]
    assert json.loads(answer(*sqlite3, QUERY)) == [{"error": ODD, "uri": "/runs/1"}]
    assert json.loads(answer(*sqlite3, "PRAGMA integrity_check")) == [{"integrity_check": "ok"}]


@pytest.mark.process
def test_psql_reads_the_run_with_select_alone(postgresql, monkeypatch: pytest.MonkeyPatch) -> None:
    psql = needs("psql", "Debian's postgresql-client")
    address = postgresql.fresh()
    written(address)
    reading = postgresql.reading(address).url.replace("postgresql+psycopg", "postgresql")
    monkeypatch.setitem(os.environ, "PGPASSWORD", PASSWORD)
    rows = f"SELECT json_agg(rows) FROM ({QUERY}) rows"
    assert json.loads(answer(psql, reading, "-qtA", "-c", rows)) == [
        {"error": ODD, "uri": "/runs/1"}
    ]
