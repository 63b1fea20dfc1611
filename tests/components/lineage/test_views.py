"""The documented views, over a store that holds one record."""

from pathlib import Path

import pytest

from components.lineage.address import StoreAddress
from components.lineage.opening import open_store
from components.lineage.reader import MetadataStore
from components.lineage.training import TrainingRow, write_manifest
from components.lineage.types import TYPES
from components.lineage.views import VIEWS, with_views
from components.lineage.writer import RecordWriter
from components.records.errors import ConfigError
from components.records.ledger.records import Release
from tests.components.lineage.test_record import record

ODD = 'it\'s; -- "odd"\n日本'


@pytest.fixture
def address(tmp_path: Path) -> StoreAddress:
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path)
    row = TrainingRow("case", "patient", 1, "1" * 64, "2" * 64, split="train")
    writer = RecordWriter(open_store(address))
    training = write_manifest([row], tmp_path)
    for error in (None, ODD):  # the second time the same run is written anew
        writer.write_run(record(error=error), "/runs/1", training=training)
    release = Release(
        destination="serving/chest", version=12, model_sha256="3" * 64, decision_sha256="4" * 64,
        seq=5, kind="release", by=ODD, at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    for _ in range(2):
        writer.write_release(release, workspace_id="0123abcd", run_id=record().run_id)
    return address


def test_what_is_written_twice_is_there_once_and_anew(address: StoreAddress) -> None:
    with MetadataStore(address) as store:
        (run,) = store.runs("0123abcd")
        assert run["error"] == ODD and run["uri"] == "/runs/1"
        (release,) = store.releases("0123abcd")
        assert (release["version"], release["by_person"]) == ("12", ODD)
        counts = store.query(
            "SELECT (SELECT count(*) FROM Execution) AS executions, "
            "(SELECT count(*) FROM Event) AS events"
        )
    assert counts == [{"executions": 2, "events": 5}]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_asked(address: StoreAddress, view: str) -> None:
    with MetadataStore(address) as store:
        rows = store.query(f"SELECT * FROM {view}")
    wanted = {"checks": 0, "components": 0, "artifacts": 4, "events": 5}
    assert len(rows) == wanted.get(view, 1)


def test_a_view_has_a_column_for_every_property(address: StoreAddress) -> None:
    with MetadataStore(address) as store:
        (row,) = store.query("SELECT * FROM runs")
    assert row.keys() == {"artifact_id", "uri", *TYPES["CasegateRun"]}
    assert row["owner"] == "Radiology; DROP TABLE Artifact"


def test_a_query_keeps_its_own_clauses(address: StoreAddress) -> None:
    query = "WITH mine AS (SELECT state FROM runs) SELECT count(*) AS n FROM mine;"
    with MetadataStore(address) as store:
        assert store.query(query) == [{"n": 1}]
    assert with_views("SELECT 1") == "SELECT 1"


def environments_with(store: MetadataStore, package: str, version: str) -> list[str]:
    rows = store.query(
        "SELECT environment_sha256 FROM packages WHERE package = :package AND version = :version",
        package=package,
        version=version,
    )
    return [row["environment_sha256"] for row in rows]


@pytest.mark.parametrize("value", [ODD, "'; DROP TABLE Artifact; --", "\\", "%", "😀"])
def test_values_are_never_read_as_sql(address: StoreAddress, value: str) -> None:
    with MetadataStore(address) as store:
        assert store.runs(value) == [] and store.run("0123abcd", value) is None
        assert environments_with(store, value, value) == [] and store.training_set(value) is None
        assert len(store.runs("0123abcd")) == 1


def test_nothing_can_be_written(address: StoreAddress) -> None:
    with MetadataStore(address) as store, pytest.raises(ConfigError):
        store.query("DELETE FROM Artifact")


def test_packages_are_found_by_name_and_version(address: StoreAddress) -> None:
    sha256 = record().environment.sha256
    with MetadataStore(address) as store:
        assert environments_with(store, "Jinja2", "3") == [sha256]
        assert environments_with(store, "jinja2", "3") == []
        assert store.packages(sha256) == {"Jinja2": "3"}
