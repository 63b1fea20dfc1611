"""A PostgreSQL server for tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

from tests.servers.databases import (
    OWNER,
    PASSWORD,
    READER,
    Account,
    DatabaseServer,
    found,
    free_port,
    running,
)

_FOLDERS = tuple(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
_FASTER = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB")


class PostgreSQL(DatabaseServer):
    def make(self, database: str) -> None:
        self.run(f"CREATE DATABASE {database} OWNER {OWNER}")

    def let_read(self, database: str) -> None:
        self._within(database, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")

    def revoke_read(self, database: str) -> None:
        self._within(database, f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {READER}")

    def dump(self, database: str) -> str:
        url = self.admin.url.set(database=database).render_as_string(hide_password=False)
        program = found("pg_dump", "postgresql-client", *_FOLDERS)
        command = [program, url.replace("+psycopg", "")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _within(self, database: str, statement: str) -> None:
        url = self.admin.url.set(database=database)
        engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def postgresql_server() -> Iterator[PostgreSQL]:
    initdb = found("initdb", "postgresql", *_FOLDERS)
    postgres = found("postgres", "postgresql", *_FOLDERS)
    account = Account("postgres")
    folder, port = account.folder(), free_port()
    data, secret = folder / "data", folder / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)  # the folder is private
    making = [initdb, "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
    account.check([*making, "--locale=C", "-N", f"--pwfile={secret}"], folder / "initdb.log")
    where = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    settings = [word for setting in _FASTER for word in ("-c", setting)]
    process = account.popen([postgres, *where, *settings], folder / "server.log")
    url = sqlalchemy.URL.create(
        "postgresql+psycopg", "postgres", PASSWORD, "127.0.0.1", port, "postgres"
    )
    admin = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    server = PostgreSQL("postgresql", port, admin)
    with running(process, folder, lambda: server.run("SELECT 1")):
        for role in (OWNER, READER):
            server.run(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        yield server
        admin.dispose()
