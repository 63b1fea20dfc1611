"""What tests want of a database server: fresh databases, and roles with few rights.

Each server is a real one on loopback, with its own data folder and port; it dies with the tests.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from components.lineage.address import StoreAddress

PASSWORD = "s3cret-Passwort!"  # of every role but the administrator
OWNER, READER = "casegate", "auditor"
_START_SECONDS = 30


class DatabaseServer:
    """Attributes:
    admin: an engine of the administrator, which commits each statement.
    """

    def __init__(self, scheme: str, port: int, admin: Any) -> None:
        self.scheme, self.port, self.admin = scheme, port, admin
        self._made = 0

    def run(self, *statements: str) -> None:
        with self.admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def fresh(self) -> StoreAddress:
        """An empty database, and a role that owns it."""
        self._made += 1
        name = f"store{self._made}"
        self.make(name)
        return self.address(OWNER, name)

    def reading(self, address: StoreAddress) -> StoreAddress:
        """The same store for a role that has SELECT on its tables and no other right."""
        self.let_read(address.server.database)
        return self.address(READER, address.server.database)

    def address(self, user: str, database: str, port: int | None = None) -> StoreAddress:
        url = f"{self.scheme}://{user}@127.0.0.1:{port or self.port}/{database}"
        return StoreAddress.parse(url, root=Path("/"))

    def make(self, database: str) -> None:
        raise NotImplementedError

    def let_read(self, database: str) -> None:
        raise NotImplementedError

    def revoke_read(self, database: str) -> None:
        raise NotImplementedError

    def dump(self, database: str) -> str:
        """All that is in a database, as the server's own tool writes it."""
        raise NotImplementedError


def found(program: str, package: str, *folders: Path) -> str:
    """A program's path; skips the test, saying what is missing, where there is none."""
    path = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))
    if path is None:
        pytest.skip(f"needs a real server: no {program}; install Debian's package {package}")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Account:
    """Who the server runs as: servers refuse to run as root."""

    def __init__(self, name: str) -> None:
        self.name: str | None = name if os.geteuid() == 0 else None

    def popen(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as stream:
            return subprocess.Popen(
                command,
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                cwd="/",
                preexec_fn=_die_with_parent,
                **self._identity(),
            )

    def check(self, command: Sequence[str], log: Path) -> None:
        if self.popen(command, log).wait() != 0:
            raise AssertionError(f"{command[0]}: {log.read_text(errors='replace')}")

    def folder(self) -> Path:
        """A folder of its own, where this account can be."""
        path = Path(tempfile.mkdtemp(prefix="casegate-test-"))
        if self.name:
            account = pwd.getpwnam(self.name)
            os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def _identity(self) -> dict[str, Any]:
        if self.name is None:
            return {}
        account = pwd.getpwnam(self.name)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def running(
    process: subprocess.Popen[bytes], folder: Path, ready: Callable[[], None]
) -> Iterator[None]:
    """Waits until the server answers; kills it and removes its folder in the end."""
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                ready()
                break
            except sqlalchemy.exc.DBAPIError:
                if process.poll() is not None or time.monotonic() > deadline:
                    logs = [path.read_text(errors="replace") for path in folder.glob("*.log")]
                    raise AssertionError(f"the server did not start: {logs}") from None
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also where tests are killed
