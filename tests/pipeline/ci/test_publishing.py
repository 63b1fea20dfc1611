"""A workspace's release put where CI finds it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.baselines.scores import save_scores
from components.decision import save_decision
from components.gate.record import record
from components.records.ledger.ledger import Ledger
from components.records.run_files import DECISION, SCORES
from components.release.serving import find_champion, record_release
from pipeline.ci.registry import find_registry
from pipeline.commands.ci import ci
from pipeline.run import model_scores
from pipeline.settings.workspace import Workspace
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored
from tests.components.release.test_serving import put
from tests.pipeline.ci.making import TeamRepository

pytestmark = pytest.mark.process


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One with version 3 released, by a run that left its scores."""
    found = Workspace(tmp_path / "ws")
    destination = found.serving / "pneumonia"
    scores = replace(scored(CASES, wrong=[3]), model_sha256=put(destination, 3))
    decision = judged(scores, run_id="run-3")
    folder = found.run_folder("run-3")
    save_decision(decision, folder / DECISION)
    save_scores(scores, folder / SCORES)
    record(Ledger(found.ledger), decision)
    champion = find_champion(destination, found.runs)
    assert champion
    record_release(Ledger(found.ledger), champion, workspace=found.root)
    return found


def publish(workspace: Workspace, *more: str) -> Result:
    more = more if "--config" in more else (*more, "--set", "ci.baseline=null")
    words = ["publish", "--workspace", str(workspace.root), *more]
    return CliRunner().invoke(ci, words)


def test_the_released_model_is_published_with_its_scores(
    workspace: Workspace, tmp_path: Path
) -> None:
    result = publish(workspace, "--registry", str(tmp_path / "registry"))
    assert result.exit_code == 0, result.output
    registry, _ = find_registry(str(tmp_path / "registry"))
    assert registry
    scores = registry.scores(CASES.merkle_root)
    assert scores and list(scores.scores) == list(scored(CASES, wrong=[3]).scores)
    assert registry.champion.version == 3
    entry = Ledger(workspace.ledger).entries()[-1]
    assert (registry.champion.released, registry.champion.decision_sha256) == (
        entry.at,
        entry.body["decision_sha256"],
    )


def test_it_is_scored_on_the_development_cases_too(
    workspace: Workspace, team: TeamRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def score(models: dict[str, Path], case_set: object, source: object) -> dict[str, object]:
        asked.update(models)
        champion = find_champion(workspace.serving / "pneumonia", workspace.runs)
        assert champion
        return {"": replace(team.golden, model_sha256=champion.sha256)}

    monkeypatch.setattr(model_scores, "score_models", score)
    settings = ("--config", "casegate.yaml", "--set", "ci.source=phantom:n=20")
    result = publish(workspace, "--registry", str(tmp_path / "registry"), *settings)
    assert result.exit_code == 0, result.output
    registry, _ = find_registry(str(tmp_path / "registry"))
    assert registry
    assert registry.scores(team.golden.scored_case_set)
    assert registry.scores(CASES.merkle_root)
    assert asked == {"": workspace.serving / "pneumonia" / "3"}


def test_a_workspace_without_a_release_has_nothing_to_publish(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = publish(Workspace(tmp_path / "empty"), "--registry", str(tmp_path / "registry"))
    assert result.exit_code == 2
    assert "nothing is released there" in result.stderr
    assert not (tmp_path / "registry").exists()


def test_scores_that_were_altered_since_are_not_published(
    workspace: Workspace, tmp_path: Path
) -> None:
    place = workspace.run_folder("run-3") / SCORES
    save_scores(scored(CASES, wrong=[4]), place)
    result = publish(workspace, "--registry", str(tmp_path / "registry"))
    assert (result.exit_code, (tmp_path / "registry").exists()) == (4, False)


def test_a_model_that_was_altered_since_is_not_published(
    workspace: Workspace, tmp_path: Path
) -> None:
    (workspace.serving / "pneumonia" / "3" / "variables" / "data").write_text("other")
    result = publish(workspace, "--registry", str(tmp_path / "registry"))
    assert (result.exit_code, (tmp_path / "registry").exists()) == (4, False)


def test_where_to_has_to_be_said(workspace: Workspace) -> None:
    result = publish(workspace)
    assert result.exit_code == 2
    assert "name a folder or bucket" in result.stderr


def test_an_account_is_for_people_too(workspace: Workspace, tmp_path: Path) -> None:
    publish(workspace, "--registry", str(tmp_path / "registry"))
    document = json.loads((tmp_path / "registry" / "champion.json").read_text())
    assert (document["version"], list(document["case_sets"])) == (3, [CASES.merkle_root])
