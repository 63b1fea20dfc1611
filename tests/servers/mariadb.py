"""A MariaDB server for tests."""

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

_FOLDERS = (Path("/usr/sbin"), Path("/usr/local/sbin"))
_FASTER = ("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin")


class MariaDB(DatabaseServer):
    def make(self, database: str) -> None:
        # As Debian makes them: compared without regard to case, which casegate has to mend.
        charset = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        self.run(f"CREATE DATABASE {database} {charset}", f"GRANT ALL ON {database}.* TO {OWNER}")

    def let_read(self, database: str) -> None:
        self.run(f"GRANT SELECT ON {database}.* TO {READER}")

    def revoke_read(self, database: str) -> None:
        # One table is left, without which there would be no database to connect to.
        self.run(
            f"REVOKE SELECT ON {database}.* FROM {READER}",
            f"GRANT SELECT ON {database}.MLMDEnv TO {READER}",
        )

    def dump(self, database: str) -> str:
        program = found("mariadb-dump", "mariadb-client")
        connection = ["-h", "127.0.0.1", "-P", str(self.port), "-u", OWNER]
        command = [program, "--no-defaults", *connection, f"-p{PASSWORD}", database]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def mariadb_server() -> Iterator[MariaDB]:
    install = found("mariadb-install-db", "mariadb-server")
    mariadbd = found("mariadbd", "mariadb-server", *_FOLDERS)
    account = Account("mysql")
    folder, port = account.folder(), free_port()
    data, socket = folder / "data", folder / "socket"
    account.check(
        [install, "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        + ["--auth-root-authentication-method=normal"],
        folder / "install.log",
    )
    where = [f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1"]
    files = [f"--socket={socket}", f"--pid-file={folder / 'pid'}"]
    command = [mariadbd, "--no-defaults", *where, *files, *_FASTER]
    process = account.popen(command, folder / "server.log")
    admin = sqlalchemy.create_engine(
        f"mysql+pymysql://root@localhost/mysql?unix_socket={socket}&charset=utf8mb4",
        isolation_level="AUTOCOMMIT",
    )
    server = MariaDB("mysql", port, admin)
    with running(process, folder, lambda: server.run("SELECT 1")):
        for role in (OWNER, READER):
            server.run(f"CREATE USER {role} IDENTIFIED BY '{PASSWORD}'")
        yield server
        admin.dispose()
