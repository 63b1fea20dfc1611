"""The real pipeline with ML Metadata on a real server, read by a role that may only SELECT."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.cli import main  # noqa: F401 - imported before TensorFlow, as the command does
from tests.e2e.auditing import casegate
from tests.e2e.making import SmallData, make_small_data, watched_run
from tests.servers.databases import PASSWORD, DatabaseServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.process]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SmallData:
    return make_small_data(tmp_path_factory.mktemp("data") / "small")


def test_a_run_is_recorded_on_a_server_and_read_with_select_alone(
    data: SmallData, server: DatabaseServer, tmp_path: Path
) -> None:
    address, workspace = server.fresh(), tmp_path / "workspace"
    config = data.config(f"metadata={json.dumps(address.url)}", "model.epochs=2")
    outcome = watched_run(config, workspace).outcome
    assert outcome.exit_code == 1  # two epochs teach it nothing
    assert not (workspace / "metadata.sqlite").exists()

    reader = server.reading(address)
    (workspace / "store.json").write_text(json.dumps({"metadata": reader.url}))
    run_id = outcome.decision.run_id
    for words, named in (
        (("list",), run_id),
        (("show", run_id), "FAIL"),
        (("trace", run_id), "training"),
        (("sql", "SELECT state FROM runs"), "blocked"),
        (("verify", "--all"), "as recorded"),
        (("impact", "--package", f"tensorflow=={version('tensorflow')}"), run_id),
    ):
        said = casegate("lineage", *words, "--workspace", workspace)
        assert said.exit_code == 0 and named in said.output, (words, said.output)

    left = [path for path in workspace.rglob("*") if path.is_file()]
    assert left and not [path for path in left if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in server.dump(address.server.database)
