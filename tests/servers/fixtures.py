"""Servers as fixtures, one of each kind per session; skipped by name where one can't be had."""

from collections.abc import Iterator

import pytest

from components.lineage.address import VARIABLE
from tests.servers.databases import PASSWORD, DatabaseServer
from tests.servers.mariadb import MariaDB, mariadb_server
from tests.servers.postgresql import PostgreSQL, postgresql_server


@pytest.fixture(scope="session")
def postgresql_process() -> Iterator[PostgreSQL]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_process() -> Iterator[MariaDB]:
    with mariadb_server() as server:
        yield server


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    return PASSWORD


@pytest.fixture
def postgresql(postgresql_process: PostgreSQL, password: str) -> PostgreSQL:
    """A real PostgreSQL, and the password in the environment."""
    return postgresql_process


@pytest.fixture
def mariadb(mariadb_process: MariaDB, password: str) -> MariaDB:
    """A real MariaDB, and the password in the environment."""
    return mariadb_process


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """Each of both, one after the other."""
    return request.getfixturevalue(request.param)
