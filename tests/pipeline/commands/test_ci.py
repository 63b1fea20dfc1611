"""`casegate ci` in a team's repository: the plan, the verdict, and what CI is shown."""

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.golden import save_golden
from components.decision import load_decision, save_decision
from components.records.errors import AnomaliesFound
from pipeline.ci import commit_run
from pipeline.ci.cache import Cache
from tests.components.planting import approved, sha
from tests.foreign import answer, complaint, needs
from tests.pipeline.ci.making import TeamRepository, candidate, check, plan_of
from tests.pipeline.ci.running import FakeRun
from tests.pipeline.ci.test_registry import published

pytestmark = pytest.mark.process
OUT = Path("ci-results")


@pytest.fixture
def run(team: TeamRepository, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """The pipeline, replaced where `casegate ci` calls it."""
    fake = FakeRun(team)
    monkeypatch.setattr(commit_run, "run", fake)
    return fake


def summary() -> str:
    return (OUT / "summary.md").read_text()


def test_documentation_needs_nothing(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"docs/use.md": "b", "README.md": "b"})
    result = check()
    assert result.exit_code == 0, result.output
    assert (plan_of(OUT)["plan"], run.calls) == ("nothing", [])
    (case,) = ElementTree.parse(OUT / "junit.xml").iter("testcase")
    assert (case.get("name"), len(case)) == ("plan: nothing", 0)
    assert json.loads((OUT / "casegate.sarif").read_text())["runs"][0]["results"] == []
    assert "only documentation: README.md, docs/use.md" in summary()
    assert not (OUT / "decision.json").exists()


def test_nothing_old_is_left_where_nothing_is_judged(team: TeamRepository, run: FakeRun) -> None:
    team.loosen()
    assert check().exit_code == 0
    assert (OUT / "decision.json").exists()
    team.git("checkout", "-q", ".")
    team.commit(**{"README.md": "b"})
    check()
    assert not (OUT / "decision.json").exists()
    assert not (OUT / "report.html").exists()


def test_a_loosened_limit_is_shown_row_by_row(team: TeamRepository, run: FakeRun) -> None:
    team.loosen()
    team.commit()
    result = check()
    assert (result.exit_code, run.calls) == (0, []), result.output
    (judged,) = plan_of(OUT)["judged"]
    assert judged["limits"] == [
        {
            "what": "sensitivity[overall].floor",
            "before": "0.8",
            "after": "0.7",
            "effect": "loosened",
        }
    ]
    assert judged["whose"] == "the model behind golden.json, approved by A. Radiologist"
    assert "loosened      sensitivity[overall].floor: 0.8 to 0.7" in result.output
    assert r"| sensitivity\[overall\].floor | 0\.8 | 0\.7 | **loosened** |" in summary()


def test_a_policy_that_blesses_what_the_last_one_blocked_says_so(team: TeamRepository) -> None:
    # A released model that misses 30 of 200: below .8 at its lower bound, above .7.
    published(team.root / "registry", candidate(*range(30)))
    team.loosen()
    policy = team.baseline / "policy.yaml"
    policy.write_text(policy.read_text().replace("0.05", "0.3").replace("0.1\n", "0.3\n"))
    team.commit()
    result = check("--registry", "registry")
    said = "under the base's: FAIL; under these: PASS"
    assert result.exit_code == 0, result.output
    assert said in result.output
    assert said.capitalize().replace("fail", "FAIL").replace("pass", "PASS") in summary()
    assert plan_of(OUT)["judged"][0]["verdict_before"] == "FAIL"
    assert "version 3 in registry" in plan_of(OUT)["judged"][0]["whose"]


def test_a_policy_that_the_released_model_misses_blocks(team: TeamRepository) -> None:
    policy = team.baseline / "policy.yaml"
    policy.write_text(policy.read_text().replace("floor: 0.8", "floor: 0.98"))
    team.commit()
    assert check().exit_code == 3
    assert "under the base's: PASS; under these: INCONCLUSIVE" in summary().replace(
        "Under", "under"
    )


def test_an_edited_golden_blocks_and_says_why(team: TeamRepository) -> None:
    save_golden(approved(candidate(2)), team.baseline / "golden.json")
    team.commit()
    result = check()
    assert result.exit_code == 4
    assert "golden moves by `casegate baseline approve`" in result.stderr
    error = ElementTree.parse(OUT / "junit.xml").find(".//testcase/error")
    assert error is not None and error.get("type") == "IntegrityError"
    (found,) = json.loads((OUT / "casegate.sarif").read_text())["runs"][0]["results"]
    assert (found["level"], found["ruleId"]) == ("error", "stopped")
    assert "moves by" in summary()


def test_junitparser_and_sarif_tools_fail_a_job_whose_check_was_stopped(
    team: TeamRepository,
) -> None:
    failing = [needs("junitparser", "the group dev"), "verify", OUT / "junit.xml"]
    counting = [needs("sarif", "sarif-tools, of the group dev"), "--check", "error", "summary"]
    team.commit(**{"README.md": "b"})
    assert check().exit_code == 0
    answer(*failing)
    answer(*counting, OUT / "casegate.sarif")
    save_golden(approved(candidate(2)), team.baseline / "golden.json")
    team.commit()
    assert check().exit_code == 4
    assert subprocess.run(failing).returncode == 1
    assert "stopped" in complaint(*counting, OUT / "casegate.sarif")


def test_a_model_change_runs_on_the_development_cases(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    result = check()
    assert result.exit_code == 0, result.output
    (call,) = run.calls
    assert call.config.case_set.baseline == "chest"
    assert call.config.serving.release is False
    assert call.champion is None
    assert plan_of(OUT)["notes"]["case set"].startswith("chest, the development one")
    assert load_decision(OUT / "decision.json").exit_code == 0
    assert "beside golden" in summary()


def test_a_regressing_model_blocks_with_the_reason(team: TeamRepository, run: FakeRun) -> None:
    run.candidate = candidate(*range(60))
    team.commit(**{"model.py": "b"})
    result = check()
    assert result.exit_code == 1
    assert "FAIL          sensitivity[overall].floor" in result.output
    assert "**FAIL** Sensitivity, floor" in summary()
    assert "59 right before, wrong now: case-0001" in summary()
    failures = ElementTree.parse(OUT / "junit.xml").findall(".//failure")
    assert any("floor" in str(failure.get("message")) for failure in failures)


def test_a_candidate_for_release_is_judged_on_the_locked_cases(
    team: TeamRepository, run: FakeRun
) -> None:
    team.commit(**{"README.md": "b"})
    run.locked = True
    locked = "case_set.baseline=locked", "case_set.directory=baselines"
    shutil.copytree(team.baseline, team.root / "baselines" / "locked")
    check("--release", *[word for one in locked for word in ("--set", one)])
    (call,) = run.calls
    assert call.config.case_set.baseline == "locked"
    assert plan_of(OUT)["release"] == "--release"
    assert "the locked one, for a release" in plan_of(OUT)["notes"]["case set"]


def test_the_released_model_is_the_champion(team: TeamRepository, run: FakeRun) -> None:
    champion = candidate(1, 2, model="champion")
    published(team.root / "registry", champion)
    team.commit(**{"model.py": "b"})
    result = check("--registry", "registry")
    assert result.exit_code == 0, result.output
    assert run.calls[0].champion is not None
    assert run.calls[0].champion.scores_sha256 == champion.scores_sha256
    assert "beside champion" in summary()


def test_a_fork_without_a_registry_is_judged_by_golden(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    assert check("--registry", "nowhere").exit_code == 0
    assert run.calls[0].champion is None
    assert plan_of(OUT)["notes"]["registry"].startswith("nowhere: nothing published")


def test_a_damaged_registry_blocks(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b", "registry/champion.json": "{"})
    assert (check("--registry", "registry").exit_code, run.calls) == (4, [])


def test_an_unchanged_second_check_comes_from_the_cache(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    check("--cache", "cache")
    first = (OUT / "decision.json").read_text()
    result = check("--cache", "cache")
    assert (result.exit_code, len(run.calls)) == (0, 1)
    assert (OUT / "decision.json").read_text() == first
    assert plan_of(OUT)["notes"]["cache"].startswith("hit, ")


@pytest.mark.parametrize("what", ["policy", "golden", "champion", "data"])
def test_whatever_decides_is_part_of_the_key(team: TeamRepository, run: FakeRun, what: str) -> None:
    team.commit(**{"model.py": "b"})
    check("--cache", "cache", "--registry", "registry")
    if what == "policy":
        team.loosen()
    elif what == "golden":
        history = team.baseline / "history" / "golden-0001.json"
        history.parent.mkdir()
        history.write_bytes((team.baseline / "golden.json").read_bytes())
        golden = approved(candidate(2, model="go"), "the next")
        save_golden(golden, team.baseline / "golden.json")
    elif what == "champion":
        published(team.root / "registry", candidate(7, model="champion"))
    else:
        run.data(rows=22)
    check("--cache", "cache", "--registry", "registry")
    assert len(run.calls) == 2


def test_a_damaged_entry_is_run_anew(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    check("--cache", "cache")
    (kept,) = Path("cache/results").glob("*/decision.json")
    kept.write_text(kept.read_text().replace("PASS", "FAIL", 1))
    assert check("--cache", "cache").exit_code == 0
    assert len(run.calls) == 2


def test_an_entry_by_another_policy_is_run_anew(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    check("--cache", "cache")
    (folder,) = Path("cache/results").iterdir()
    kept = load_decision(folder / "decision.json")
    save_decision(
        replace(kept, hashes={**kept.hashes, "policy": sha("easier")}), Path("cache/decision.json")
    )
    files = {name: folder / name for name in ("scores.json", "report.html")}
    files["decision.json"] = Path("cache/decision.json")
    assert Cache(Path("cache")).keep(folder.name, files, tree=None) is None
    check("--cache", "cache")
    assert len(run.calls) == 2


def test_the_bases_result_is_what_a_change_stands_beside(
    team: TeamRepository, run: FakeRun
) -> None:
    base = team.commit(**{"model.py": "b"})
    check("--cache", "cache")
    run.candidate = candidate(*range(10, 40))
    run.data(rows=22)
    team.commit(**{"model.py": "c"})
    check("--cache", "cache")
    assert f"beside the base, {base[:12]}" in summary()
    assert "30 right before, wrong now: case-0010" in summary()


def test_a_run_that_stops_says_why_and_keeps_its_log(team: TeamRepository, run: FakeRun) -> None:
    run.error = AnomaliesFound
    team.commit(**{"model.py": "b"})
    result = check()
    assert result.exit_code == 1
    assert "AnomaliesFound: planted; see ci-results/run.log" in result.stderr
    assert (OUT / "run.log").read_text() == "noise"
    assert "AnomaliesFound" in ElementTree.tostring(
        ElementTree.parse(OUT / "junit.xml").getroot(), "unicode"
    )


def test_baselines_beside_code_are_verified_and_pointed_out(
    team: TeamRepository, run: FakeRun
) -> None:
    team.loosen()
    team.commit(**{"model.py": "b"})
    result = check()
    assert (result.exit_code, len(run.calls)) == (0, 1)
    assert "note: one change moves what judges" in result.output
    assert "**Note:** one change moves what judges" in summary()
    assert "loosened      chest: sensitivity[overall].floor: 0.8 to 0.7" in result.output
    save_golden(approved(candidate(2)), team.baseline / "golden.json")
    team.commit()
    assert (check("--base", team.first).exit_code, len(run.calls)) == (4, 1)


def test_a_workspace_restored_elsewhere_is_not_used(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    check("--cache", "cache")
    Path("cache/results").rename("gone")
    Path("cache").rename("moved")
    check("--cache", "moved")
    assert "it was made in" in plan_of(OUT)["notes"]["workspace"]
    assert len(list(Path("moved/workspace/runs").iterdir())) == 1


def test_annotations_are_printed_under_github_alone(
    team: TeamRepository, run: FakeRun, tmp_path: Path
) -> None:
    run.candidate = candidate(*range(60))
    team.loosen()
    team.commit(**{"model.py": "b"})
    assert "::error" not in check().output
    place = tmp_path / "step-summary"
    result = check(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(place))
    assert "::error title=casegate%3A FAIL::" in result.output or "::error " in result.output
    assert "::warning title=casegate::one change moves what judges" in result.output
    assert place.read_text() == summary()


def test_a_full_step_summary_changes_no_verdict(
    team: TeamRepository, run: FakeRun, tmp_path: Path
) -> None:
    team.commit(**{"README.md": "b"})
    place = tmp_path / "step-summary"
    place.write_bytes(b"x" * (1 << 20))
    result = check(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(place))
    assert result.exit_code == 0
    assert "is full" in result.stderr and "ci-results/summary.md" in result.stderr
    assert place.stat().st_size == 1 << 20


def test_json_stands_alone_on_stdout(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"model.py": "b"})
    result = check("--format", "json", GITHUB_ACTIONS="true")
    assert json.loads(result.stdout)["plan"] == "full"
    assert "plan " in result.stderr


def test_a_strangers_words_cannot_become_markup(team: TeamRepository, run: FakeRun) -> None:
    team.commit(**{"<img src=x>|@everyone": "1", "a\x1b]0;x.py": "1"})
    result = check()
    assert r"\<img src=x\>\|@<!-- -->everyone" in summary()
    assert "\x1b" not in result.output


def test_a_baseline_that_is_not_ours_to_know_means_a_full_run(
    team: TeamRepository, run: FakeRun
) -> None:
    team.commit(**{"baselines/notes.txt": "1"})
    check()
    assert (plan_of(OUT)["plan"], len(run.calls)) == ("full", 1)


def test_a_model_that_is_golden_itself_may_be_judged_anew(team: TeamRepository) -> None:
    published(team.root / "registry", team.golden)
    team.loosen()
    team.commit()
    result = check("--registry", "registry")
    assert result.exit_code == 0, result.output
    assert plan_of(OUT)["judged"][0]["verdict"] == "PASS"
    assert team.golden.model_sha256 == sha("go")


def test_a_baseline_that_nobody_scored_judges_nothing(team: TeamRepository) -> None:
    shutil.copytree(team.baseline, team.root / "baselines" / "next")
    (team.root / "baselines" / "next" / "golden.json").unlink()
    team.commit()
    result = check()
    assert result.exit_code == 5
    assert "casegate baseline bootstrap" in result.stderr


def test_several_baselines_are_judged_and_the_gravest_decides(team: TeamRepository) -> None:
    team.loosen()
    shutil.copytree(team.baseline, team.root / "baselines" / "next")
    policy = team.root / "baselines" / "next" / "policy.yaml"
    policy.write_text(policy.read_text().replace("floor: 0.7", "floor: 0.98"))
    team.commit()
    assert check().exit_code == 3
    assert [one["exit_code"] for one in plan_of(OUT)["judged"]] == [0, 3]
    assert load_decision(OUT / "decision.json").exit_code == 3
    assert load_decision(OUT / "chest" / "decision.json").exit_code == 0
    suites = ElementTree.parse(OUT / "junit.xml").findall("testsuite")
    assert [suite.get("id") for suite in suites] == ["0", "1"]
    assert len(json.loads((OUT / "casegate.sarif").read_text())["runs"]) == 2


def test_a_folder_of_somebodys_files_is_not_cleared(team: TeamRepository) -> None:
    (team.root / "mine").mkdir()
    (team.root / "mine" / "scores.json").write_text("mine")
    result = check("--out", "mine")
    assert (result.exit_code, (team.root / "mine" / "scores.json").read_text()) == (2, "mine")
    assert "which no check wrote" in result.stderr


def test_a_strangers_file_name_is_no_command_to_github(team: TeamRepository) -> None:
    folder = "baselines/x\n::error::planted"
    shutil.copytree(team.baseline, team.root / folder)
    (team.root / folder / "policy.yaml").write_text("name: x")
    team.commit()
    result = check(GITHUB_ACTIONS="true")
    assert result.exit_code == 2
    lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
    assert not [line for line in lines if line.startswith("::error::planted")]
