"""A workspace that was pruned goes on as before: what is gone is computed again."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from components.decision import Verdict
from pipeline.cli import main
from pipeline.settings.sections import RetentionConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retention.prune import prune
from tests.e2e.conftest import Released
from tests.e2e.making import HARSH, POLICY, released_sha256, watched_run

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def verified(workspace: Path) -> str:
    result = CliRunner().invoke(main, ["lineage", "verify", "--all", "--workspace", str(workspace)])
    assert result.exit_code == 0, result.output
    return result.output


def test_after_a_prune_the_next_run_computes_again_what_is_gone(released: Released) -> None:
    data, root = released.data, released.workspace
    policy = released.policy
    policy.write_text(HARSH)
    blocked = watched_run(data.config("model.seed=22"), root).outcome
    assert blocked.decision.verdict is not Verdict.PASS
    policy.write_text(POLICY)
    watched_run(data.config("model.seed=23"), root)
    before = released_sha256(root)

    found = prune(RetentionConfig(keep_runs=1, keep_days=0), Workspace(root))
    gone = {one.path.rpartition("/")[0] for one in found.removed}
    assert "artifacts/Trainer/model" in gone and "artifacts/TrainingCases/examples" not in gone
    assert released_sha256(root) == before
    assert "as recorded" in verified(root)

    again = watched_run(data.config("model.seed=22"), root)
    kinds = again.kinds()
    assert kinds["TrainingCases"] == "cached"
    assert kinds["Trainer"] == kinds["CandidateScorer"] == "finished"
    assert kinds["ChampionModel"] in ("cached", "finished")
    assert again.outcome.decision.hashes["champion"] == before
    assert again.outcome.decision.verdict is Verdict.PASS
    assert "as recorded" in verified(root)
