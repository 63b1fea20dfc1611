"""Retrainings with the real pipeline as their child, from the first model to nothing new."""

import json
import shlex
from pathlib import Path

import pytest

from components.release.serving import find_champion
from pipeline.governance.approval import bootstrap_golden
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import Retrained
from pipeline.unattended.retraining.retrain import retrain
from tests.e2e.making import POLICY, SETTINGS, SmallData, make_small_data

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SmallData:
    return make_small_data(tmp_path_factory.mktemp("data") / "small")


def told_in(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def test_the_first_model_waits_for_a_name_then_is_released_and_then_nothing_is_new(
    data: SmallData, tmp_path: Path
) -> None:
    workspace, told, said = Workspace(tmp_path / "ws"), tmp_path / "told.jsonl", list[str]()
    policy = workspace.baselines / "small" / "policy.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY)
    append = f"cat >> {shlex.quote(str(told))}; echo >> {shlex.quote(str(told))}"
    settings = [
        f"data.source={data.folder}",
        *SETTINGS,
        "retraining.free_disk_gib=0.5",
        f"notify.command={json.dumps(['/bin/sh', '-c', append])}",
    ]

    def again() -> Retrained:
        return retrain(None, settings, workspace, trigger="schedule", say=said.append)

    first = again()
    assert (first.state, first.exit_code) == ("inconclusive", 3), said
    assert any("casegate baseline bootstrap" in line for line in told_in(told)[0]["lines"])
    bootstrap_golden(workspace.root, run_id=None, by="A. Tester", reason="first model")

    second = again()
    assert (second.state, second.exit_code) == ("released", 0), said
    served = find_champion(workspace.serving / "pneumonia", workspace.runs)
    assert served is not None and served.version == second.attempt.version
    assert any(line.startswith("Trainer") for line in said)

    said.clear()
    third = again()
    assert (third.state, third.exit_code) == ("nothing_new", 0)
    assert third.attempt.version == served.version
    # How the data are read is told; nothing else was done than to look at them.
    assert [line.split()[0] for line in said if not line.split()[0].endswith(":")] == ["inputs"]
    assert [notice["event"] for notice in told_in(told)] == [
        "inconclusive",
        "released",
        "nothing_new",
    ]
