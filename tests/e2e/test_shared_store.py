"""Eight workspaces that write to one store at once: nothing is lost, and nothing doubled."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.lineage.address import VARIABLE, StoreAddress
from components.lineage.reader import MetadataStore
from tests.servers.databases import PASSWORD

pytestmark = pytest.mark.tensorflow

WORKSPACES = 8
TABLES = ("Execution", "ExecutionProperty", "Artifact", "ArtifactProperty", "Event", "EventPath")
TABLES += ("Context", "ContextProperty", "Association", "Attribution", "ParentContext")


class Host:
    """A process that imported TFX once and forks every run off."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run_at_once(self, address: StoreAddress, folder: Path, workspaces: int) -> None:
        """Each workspace runs the pipeline once, in a process of its own, at the same moment."""
        wanted = {"url": address.url, "folder": str(folder), "workspaces": workspaces}
        wanted["password"] = os.environ.get(VARIABLE, "")
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        assert json.loads(self._process.stdout.readline()) == [0] * workspaces, logs_of(folder)


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    command = [sys.executable, "-m", "tests.e2e.sharing"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        yield Host(process)
        process.stdin.close()


def rows_in(address: StoreAddress) -> dict[str, int]:
    with MetadataStore(address) as store:
        counts = {table: store.query(f"SELECT count(*) AS n FROM {table}") for table in TABLES}
    return {table: rows[0]["n"] for table, rows in counts.items()}


def types_in(address: StoreAddress) -> list[str]:
    with MetadataStore(address) as store:
        return sorted(row["name"] for row in store.query("SELECT name FROM Type"))


def logs_of(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("*.log"))


def files_with(secret: str, folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]


@pytest.fixture(scope="session")
def alone(host: Host, tmp_path_factory) -> StoreAddress:
    """What one run writes that nobody disturbs."""
    folder = tmp_path_factory.mktemp("alone")
    address = StoreAddress.parse("alone.sqlite", root=folder)
    host.run_at_once(address, folder / "artifacts", 1)
    return address


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def shared(request, tmp_path: Path) -> StoreAddress:
    if request.param == "sqlite":
        return StoreAddress.parse("shared.sqlite", root=tmp_path)
    return request.getfixturevalue(request.param).fresh()


def test_eight_workspaces_write_to_one_fresh_store(host, alone, shared, tmp_path: Path) -> None:
    host.run_at_once(shared, tmp_path / "artifacts", WORKSPACES)
    one = rows_in(alone)
    assert (one["Execution"], one["Artifact"], one["Event"], one["EventPath"]) == (3, 3, 6, 12)
    assert rows_in(shared) == {table: WORKSPACES * rows for table, rows in one.items()}
    assert types_in(shared) == types_in(alone) == sorted(set(types_in(alone)))
    with MetadataStore(shared) as store:
        assert store.query("SELECT DISTINCT state FROM components") == [{"state": "complete"}]
        said = store.query("SELECT string_value AS v FROM ArtifactProperty WHERE name = 'verdict'")
        notes = store.query("SELECT string_value AS v FROM ExecutionProperty WHERE name = 'note'")
    made = {f"{n} numbers make {n * (n - 1) // 2}" for n in range(10, 10 + WORKSPACES)}
    assert {row["v"] for row in said} == made
    assert {row["v"] for row in notes} == {f'{{"a": "\\"{n}\\""}}' for n in range(WORKSPACES)}


def test_the_password_is_nowhere(host, server, tmp_path: Path) -> None:
    address = server.fresh()
    host.run_at_once(address, tmp_path / "artifacts", 1)
    assert "Using connection config" in logs_of(tmp_path / "artifacts")
    assert files_with(address.server.user, tmp_path)
    assert files_with(PASSWORD, tmp_path) == []
    dump = server.dump(address.server.database)
    assert "SharedNumbers" in dump
    assert PASSWORD not in dump
