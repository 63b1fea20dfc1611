import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import VARIABLE
from components.lineage.opening import open_store
from pipeline.commands.store import store
from pipeline.settings.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    metadata = open_store(place.store)
    kind = metadata.put_artifact_type(mlmd.ArtifactType(name="Report"))
    metadata.put_artifacts([mlmd.Artifact(type_id=kind, name=f"report {n}") for n in range(3)])
    return place


def run(workspace: Workspace, *words: str):
    return CliRunner().invoke(store, [*words, "--workspace", str(workspace.root)])


def test_show_says_where_and_what(workspace: Workspace) -> None:
    shown = run(workspace, "show").output
    assert f"sqlite:{workspace.root}/metadata.sqlite" in shown
    assert "read, write, make tables" in shown


def test_show_as_json_counts_the_rows(workspace: Workspace) -> None:
    shown = json.loads(run(workspace, "show", "--format", "json").output)
    assert {"table": "Artifact", "rows": 3} in shown["tables"]["rows"]
    assert shown["facts"]["schema version"] == 10


def test_show_without_a_store_is_one_line(tmp_path: Path) -> None:
    result = run(Workspace(tmp_path), "show")
    assert result.exit_code == 2
    assert result.stderr.startswith("ConfigError: sqlite:")
    assert result.stderr.count("\n") == 1


@pytest.mark.process
def test_after_migrating_the_workspace_uses_the_server(workspace: Workspace, server) -> None:
    target = server.fresh()
    before = workspace.store.path.read_bytes()
    result = run(workspace, "migrate", "--to", target.url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "each compared" in result.output
    assert workspace.store == target
    assert (workspace.root / "metadata.sqlite").read_bytes() == before
    assert len(open_store(workspace.store).get_artifacts()) == 3
    assert "casegate_migration" not in server.dump(target.server.database)


@pytest.mark.process
def test_migrating_again_changes_nothing(workspace: Workspace, server) -> None:
    target = server.fresh()
    run(workspace, "migrate", "--to", target.url)
    result = run(workspace, "migrate", "--to", target.url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "already" in result.output


@pytest.mark.process
def test_a_refused_copy_leaves_the_workspace_where_it_was(workspace: Workspace, server) -> None:
    target = server.fresh()
    theirs = open_store(target)
    kind = theirs.put_artifact_type(mlmd.ArtifactType(name="Theirs"))
    theirs.put_artifacts([mlmd.Artifact(type_id=kind)])
    result = run(workspace, "migrate", "--to", target.url)
    assert result.exit_code == 2
    assert "holds other data" in result.stderr
    assert workspace.store.path is not None


def test_a_password_on_the_command_line_is_refused(workspace: Workspace) -> None:
    result = run(workspace, "migrate", "--to", "postgresql://me:secret@db/store")
    assert result.exit_code == 2
    assert VARIABLE in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.process
def test_show_tells_the_rights_of_a_role(workspace: Workspace, server) -> None:
    target = server.fresh()
    run(workspace, "migrate", "--to", target.url)
    assert "rights" in (owner := run(workspace, "show").output)
    assert "read, write, make tables" in owner
    reader = server.reading(target)
    workspace.store_file.write_text(json.dumps({"metadata": reader.url}))
    shown = json.loads(run(workspace, "show", "--format", "json").output)
    assert shown["facts"]["rights"] == "read"
    assert shown["facts"]["database"].split()[0] in ("PostgreSQL", "MariaDB")
