"""A shortcut planted in the training data, found where the model looks; minutes, so marked slow."""

from pathlib import Path

import pytest

from components.baselines.scores import Attention, load_scores
from components.decision import CheckResult, Decision, Verdict
from components.records.run_files import CHAMPION_SCORES, HTML_REPORT, SCORES
from pipeline.run.runner import RunOutcome
from pipeline.settings.config import load_config
from tests.e2e.making import watched_run

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def judged(workspace: Path, *settings: str) -> RunOutcome:
    """By the shipped policy, on the locked phantom cases, none of which has a mark."""
    return watched_run(load_config(None, ["signing.unsigned=true", *settings]), workspace).outcome


def attention(decision: Decision) -> CheckResult:
    (check,) = [check for check in decision.checks if check.rule == "attention"]
    assert check.role == "supporting" and check.n > 1000
    return check


def shares(path: Path) -> Attention:
    found = load_scores(path).attention
    assert found is not None
    return found


def test_a_mark_that_gives_the_label_away_moves_the_heat_and_another_seed_does_not(
    tmp_path: Path,
) -> None:
    first = judged(tmp_path)
    alone = attention(first.decision)
    assert (alone.check, alone.verdict) == ("attention.area", Verdict.PASS)
    assert first.decision.verdict is Verdict.PASS

    marked = judged(tmp_path, "data.source=phantom:mark=1")
    found = attention(marked.decision)
    print(found.reason)
    assert (found.check, found.verdict) == ("attention.champion", Verdict.FAIL)
    folder = marked.report.parent
    champion = shares(folder / CHAMPION_SCORES)
    assert champion == shares(first.report.parent / SCORES)
    assert champion.shares.keys() == shares(folder / SCORES).shares.keys()
    page = (folder / HTML_REPORT).read_text()
    assert "Supporting: where the score comes from" in page
    assert page.count("attention.champion") >= 1 and found.reason[:40] in page

    again = attention(judged(tmp_path, "model.seed=21").decision)
    print(again.reason)
    assert (again.check, again.verdict) == ("attention.champion", Verdict.PASS)
