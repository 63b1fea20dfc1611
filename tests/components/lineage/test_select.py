"""A query that a person typed: taken literally, one statement, read-only, on every database."""

from pathlib import Path

import pytest

from components.lineage.address import StoreAddress
from components.lineage.opening import open_store
from components.lineage.reader import MetadataStore
from components.lineage.types import TYPES
from components.records.errors import ConfigError
from tests.servers.databases import DatabaseServer

pytestmark = pytest.mark.process


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
        with pytest.raises(ConfigError) as refused:
            store.select(query, limit=1)
        assert "\n" not in str(refused.value)
        assert store.select("SELECT count(*) FROM Type", limit=1).rows == before


def test_sqlite_does_the_same(tmp_path: Path) -> None:
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path)
    open_store(address)
    with MetadataStore(address) as store:
        assert store.select("SELECT ':a 100%' AS words", limit=1).rows == ((":a 100%",),)
        with pytest.raises(ConfigError):
            store.select("SELECT 1; DELETE FROM Type", limit=1)
        with pytest.raises(ConfigError, match="(?i)read.?only"):
            store.select("DELETE FROM Type", limit=1)
