"""`casegate gate`: the pipeline's decision from score files, in a second, for any framework."""

import json
import os
import random
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from pyarrow import parquet

from components.baselines.golden import load_golden
from components.baselines.scores import save_scores
from components.decision import Decision, Verdict, decision_from_json, load_decision
from components.gate.conditions import EvaluatorFindings
from components.gate.decide import decide
from components.gate.policy import load_policy
from components.records.ledger.ledger import Ledger
from pipeline.governance.approval import bootstrap_golden
from pipeline.governance.ledger_check import verify_ledger
from pipeline.governance.waiver import waive_check
from pipeline.settings.workspace import Workspace
from tests.components.planting import scored
from tests.pipeline.score_making import CASES, Team, casegate, write_scores

COMMAND = str(Path(sys.executable).parent / "casegate")
IDS = [case.case_id for case in CASES.cases]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def decided(result: Result) -> Decision:
    assert result.stdout, result.output
    return decision_from_json(result.stdout)


def refused(result: Result, exit_code: int) -> str:
    """The one line of a refusal."""
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def verdict_of(decision: Decision, check: str) -> Verdict:
    return next(found.verdict for found in decision.checks if found.check == check)


# The decision


def test_the_decision_is_the_pipelines_but_for_the_evaluator(team: Team, tmp_path: Path) -> None:
    models = {
        name: scored(CASES, wrong=[place], model=name)
        for place, name in enumerate(("candidate", "champion"), start=3)
    }
    for name, scores in models.items():
        save_scores(scores, tmp_path / f"{name}.json")
    ours = decided(
        team.gate(
            tmp_path / "candidate.json",
            champion=tmp_path / "champion.json",
            operating_point=None,
            format="json",
        )
    )
    theirs = decide(
        policy=load_policy(team.policy),
        case_set=CASES,
        **models,
        golden=load_golden(team.golden),
        evaluator=EvaluatorFindings(blessed=True),
        findings=(),
        run_id="run-1",
        created="2025-03-31T12:00:00Z",
    )
    assert ours.checks == tuple(check for check in theirs.checks if check.check != "evaluator")
    left = {"checks", "findings"}
    for field in vars(ours).keys() - left:
        assert getattr(ours, field) == getattr(theirs, field), field


def test_a_score_file_gives_the_checks_that_scores_json_gives(team: Team, tmp_path: Path) -> None:
    candidate = scored(CASES, wrong=[2, 5])
    save_scores(candidate, tmp_path / "candidate.json")
    csv = write_scores(tmp_path / "candidate.csv", candidate)
    table = pa.table({"case_id": list(candidate.case_ids), "score": candidate.scores})
    parquet.write_table(table, tmp_path / "candidate.parquet")
    one, two, three = (
        decided(team.gate(path, format="json"))
        for path in (tmp_path / "candidate.json", csv, tmp_path / "candidate.parquet")
    )
    # Of a file of scores alone nobody knows whether its model can be served.
    assert [check for check in one.checks if check.rule != "servable"] == list(two.checks)
    assert one.flips == two.flips and one.slices == two.slices
    assert two == three


def test_a_good_candidate_passes_and_the_exit_code_says_so(team: Team) -> None:
    result = team.gate()
    assert result.exit_code == 0 and result.stdout.startswith("PASS")
    assert "judged on 400 cases, 200 positive: planted version 1" in result.stdout


def test_a_worse_candidate_fails(team: Team) -> None:
    result = team.gate(team.candidate(*range(40)), format="json")
    assert result.exit_code == 1
    check = "sensitivity[overall].non_inferiority.golden"
    assert verdict_of(decided(result), check) is Verdict.FAIL


def test_without_golden_nothing_is_proven(team: Team) -> None:
    team.golden.unlink()
    result = team.gate(format="json")
    assert result.exit_code == 3
    assert verdict_of(decided(result), "baseline.golden") is Verdict.INCONCLUSIVE


def test_golden_as_a_score_file_is_compared_with_and_called_unapproved(team: Team) -> None:
    scores = write_scores(team.root / "old.csv", scored(CASES, wrong=[7]))
    decision = decided(team.gate(golden=scores, format="json"))
    assert decision.verdict is Verdict.PASS and decision.operating_points["golden"] == 0.5
    assert any("no approval by name" in finding for finding in decision.findings)


def test_the_same_file_twice_is_a_model_compared_with_itself(team: Team) -> None:
    decision = decided(team.gate(team.champion, format="json"))
    assert decision.exit_code == 1
    assert verdict_of(decision, "baseline.champion") is Verdict.FAIL


def test_a_copy_with_other_rows_first_is_still_the_same_model(team: Team) -> None:
    order = random.Random(1).sample(range(400), 400)
    copy = write_scores(team.root / "copy.csv", scored(CASES, wrong=[1]), order=order)
    assert verdict_of(decided(team.gate(copy, format="json")), "baseline.champion") is Verdict.FAIL


def test_golden_given_as_candidate_is_a_model_compared_with_itself(team: Team) -> None:
    decision = decided(team.gate(team.golden, format="json"))
    assert verdict_of(decision, "baseline.golden") is Verdict.FAIL


@pytest.mark.parametrize("text", ["", "nan", "inf"])
def test_a_score_that_is_no_number_fails(team: Team, text: str) -> None:
    path = team.candidate()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], f"{IDS[4]},{text}", *lines[6:]]))
    decision = decided(team.gate(path, format="json"))
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    (check,) = decision.checks
    assert check.reason == "1 of 400 candidate scores are NaN or infinite"


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda lines: lines[:-2], "missing: 2"),
        (lambda lines: [*lines, "case-9999,0.5"], "additional: 1 (case-9999)"),
        (lambda lines: [*lines, lines[1]], "case ids that stand twice: 1 (case-0000)"),
        (lambda lines: lines[:1], "missing: 400"),
    ],
    ids=["missing", "additional", "duplicated", "none"],
)
def test_scores_of_other_cases_are_an_integrity_error(team: Team, change: Any, words: str) -> None:
    path = team.candidate()
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    result = team.gate(path, format="json")
    assert result.exit_code == 4
    (check,) = decided(result).checks
    assert check.verdict is Verdict.FAIL and words in check.reason


def test_labels_that_differ_are_refused(team: Team) -> None:
    path = team.candidate()
    lines = path.read_text().splitlines()
    labelled = [f"{line},{int(i <= 199)}" for i, line in enumerate(lines[1:], start=1)]
    path.write_text("\n".join(["case_id,score,label", *labelled]))
    line = refused(team.gate(path), 4)
    assert "IntegrityError: " in line and "labels differ" in line and "case-0199" in line


def test_other_columns_are_ignored_aloud(team: Team) -> None:
    path = team.candidate(2)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},site", *(f"{line},x" for line in lines[1:])]))
    assert (
        "candidate: columns that were ignored: 'site'"
        in decided(team.gate(path, format="json")).findings
    )


def test_the_decision_says_that_nobody_saw_the_models(team: Team) -> None:
    (seen, counted, *_) = decided(team.gate(format="json")).findings
    assert "scores given as files: candidate, champion; nobody saw the models" in seen
    assert "no ledger: looks at the case set are not counted" in counted


# Operating points


def test_no_operating_point_is_refused_and_none_is_assumed(team: Team) -> None:
    line = refused(team.gate(operating_point=None), 2)
    assert "candidate.csv: no operating point for the candidate" in line
    assert "--operating-point candidate=VALUE" in line


def test_each_model_has_its_own_operating_point(team: Team) -> None:
    more = ("--operating-point", "champion=0.45")
    decision = decided(team.gate(None, *more, operating_point="candidate=0.55", format="json"))
    assert decision.operating_points == {"candidate": 0.55, "champion": 0.45, "golden": 0.5}


def test_a_column_states_the_operating_point(team: Team) -> None:
    path = team.candidate(2)
    lines = path.read_text().splitlines()
    stated = [f"{lines[0]},operating_point", *(f"{line},0.6" for line in lines[1:])]
    path.write_text("\n".join(stated))
    decision = decided(team.gate(path, format="json"))
    assert decision.operating_points["candidate"] == 0.6
    assert decision.operating_points["champion"] == 0.5
    line = refused(team.gate(path, "--operating-point", "candidate=0.5"), 2)
    assert "states operating point 0.6, the option says 0.5" in line


@pytest.mark.parametrize(
    "words, wanted",
    [
        (["half"], "got 'half', wanted a number"),
        (["nan"], "got 'nan', wanted a number"),
        (["candidat=0.5"], "unknown model 'candidat'; did you mean 'candidate'?"),
        (["0.5", "0.6"], "stands twice"),
        (["candidate=0.5", "candidate=0.5"], "stands twice"),
        (["0.5", "golden=0.4"], "the golden is not a score file without its own"),
    ],
)
def test_an_operating_point_that_cannot_be_is_refused(
    team: Team, words: list[str], wanted: str
) -> None:
    options = [part for word in words for part in ("--operating-point", word)]
    assert wanted in refused(team.gate(None, *options, operating_point=None), 2)


def test_an_operating_point_that_nothing_needs_is_refused(team: Team, tmp_path: Path) -> None:
    save_scores(scored(CASES, wrong=[2]), tmp_path / "candidate.json")
    line = refused(team.gate(tmp_path / "candidate.json", champion=None), 2)
    assert "everything given has an operating point of its own" in line


# Usage


@pytest.mark.parametrize(
    "changed, exit_code, words",
    [
        ({"case_set": "nosuch"}, 2, "nosuch: no such case set"),
        ({"policy": "absent.yaml"}, 2, "absent.yaml: no such policy"),
        ({"champion": "absent.csv"}, 2, "absent.csv: no such file; wanted the champion's scores"),
        ({"run_id": "../up"}, 2, "--run-id: got '../up'"),
        ({"created": "yesterday"}, 2, "--created: got 'yesterday'"),
        ({"created": "2025-02-30T12:00:00Z"}, 2, "--created: got '2025-02-30"),
        ({"created": "2025-03-31T12:00:00"}, 2, "--created: got '2025-03-31T12:00:00'"),
        ({"workspace": "w", "ledger": "l"}, 2, "give one"),
        ({"format": "xml"}, 2, "--format"),
        ({"output": "/proc/none/out.json", "format": "json"}, 2, "--output /proc/none/out.json"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    team: Team, changed: dict[str, Any], exit_code: int, words: str
) -> None:
    assert words in refused(team.gate(**changed), exit_code)


def test_no_candidate_is_a_usage_error(team: Team) -> None:
    assert "--candidate" in refused(casegate("gate", "--case-set", team.case_set), 2)


def test_a_folder_without_a_model_is_refused(team: Team) -> None:
    assert "no saved_model.pb in it" in refused(team.gate(team.folder), 2)


def test_a_file_of_another_kind_is_refused(team: Team) -> None:
    other = team.root / "scores.xlsx"
    other.write_bytes(b"PK")
    assert "wanted scores as .csv, .parquet or .json" in refused(team.gate(other), 2)


@pytest.mark.parametrize("name", ["golden", "case_set"])
def test_a_tampered_baseline_is_an_integrity_error(team: Team, name: str) -> None:
    path = getattr(team, name)
    path.write_text(path.read_text().replace("case-0007", "case-9007", 1))
    assert "IntegrityError: " in refused(team.gate(), 4)


def test_a_misspelt_policy_is_a_usage_error(team: Team) -> None:
    team.policy.write_text(team.policy.read_text().replace("floor", "flor"))
    assert "did you mean 'floor'" in refused(team.gate(), 2)


def test_a_shipped_baseline_brings_its_policy_and_golden() -> None:
    golden = Path("baselines/pneumoniamnist/golden.json").resolve()
    result = casegate("gate", "--case-set", "pneumoniamnist", "--candidate", golden)
    assert result.exit_code == 1 and "baseline.golden: the candidate is the golden" in result.stdout


# Forms and places


@pytest.mark.parametrize("form", ["text", "json", "junit", "sarif", "markdown", "html"])
def test_every_form_goes_to_the_screen_or_whole_into_a_file(team: Team, form: str) -> None:
    shown = team.gate(format=form)
    output = team.root / "out" / "report"
    written = team.gate(format=form, output=output)
    assert shown.exit_code == written.exit_code == 0
    assert output.read_text() == shown.stdout
    assert written.stdout == f"PASS: {output}\n"


def test_the_forms_say_what_they_should(team: Team) -> None:
    bad = team.candidate(*range(40))
    suite = ElementTree.fromstring(team.gate(bad, format="junit").stdout)
    assert suite.findall(".//failure")
    assert json.loads(team.gate(bad, format="sarif").stdout)["runs"][0]["results"]
    assert team.gate(bad, format="markdown").stdout.startswith("# FAIL")
    assert team.gate(bad, format="html").stdout.lower().startswith("<!doctype html")


def test_github_gets_annotations_and_a_summary(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = team.root / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(team.root))
    result = team.gate(team.candidate(*range(40)), format="github")
    assert result.exit_code == 1 and result.stdout.startswith("::error title=casegate%3A FAIL")
    assert "file=chest/policy.yaml,line=6" in result.stdout
    assert summary.read_text().startswith("before\n# FAIL")


def test_a_summary_that_cannot_be_written_changes_no_verdict(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(team.root / "none" / "summary.md"))
    result = team.gate(format="github")
    assert result.exit_code == 0 and "GITHUB_STEP_SUMMARY" in result.stderr


# The ledger


def test_a_look_and_a_decision_are_written_down(team: Team) -> None:
    workspace = Workspace(team.root / "ws")
    result = team.gate(workspace=workspace.root, format="json")
    look, entry = Ledger(workspace.ledger).entries()
    assert (look.kind, entry.kind) == ("look", "decision")
    assert entry.body["decision_sha256"] == decided(result).decision_sha256
    kept = load_decision(workspace.run_folder("run-1") / "decision.json")
    assert kept == decided(result) and kept.looks.used == 1
    assert verify_ledger(workspace.root).decisions == 1


def test_more_looks_than_planned_prove_nothing(team: Team) -> None:
    ledger = team.root / "kept" / "ledger.jsonl"
    codes = [team.gate(ledger=ledger, run_id=f"run-{i}").exit_code for i in range(4)]
    assert codes == [0, 0, 0, 3]


def test_a_refused_file_is_no_look(team: Team) -> None:
    workspace = Workspace(team.root / "ws")
    refused(team.gate(workspace=workspace.root, operating_point=None), 2)
    assert Ledger(workspace.ledger).entries() == ()


def test_a_run_id_is_given_once(team: Team) -> None:
    place = team.root / "ws"
    assert team.gate(workspace=place).exit_code == 0
    assert "exists already" in refused(team.gate(workspace=place), 2)


def test_a_waiver_holds_for_the_same_scores(team: Team) -> None:
    place, bad = team.root / "ws", team.candidate(*range(12))
    first = decided(team.gate(bad, workspace=place, format="json"))
    for check in (check.check for check in first.checks if check.open):
        waive_check(
            place, check, run_id="run-1", by="A. Radiologist", second="B. Physicist",
            reason="known", expires=time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400)),
        )  # fmt: skip
    again = team.gate(bad, workspace=place, run_id="run-2", format="json")
    assert first.exit_code == 3 and again.exit_code == 0
    assert {note.state for note in decided(again).waivers} == {"applied"}


def test_the_first_golden_can_be_approved_from_score_files(team: Team) -> None:
    team.golden.unlink()
    place = team.root / "ws"
    assert team.gate(workspace=place).exit_code == 3
    bootstrap_golden(place, run_id="run-1", by="A. Radiologist", reason="first")
    assert load_golden(team.golden).approval.by == "A. Radiologist"
    other = team.candidate(3)
    assert team.gate(other, workspace=place, run_id="run-2").exit_code == 0


def test_a_file_of_another_name_cannot_be_put_on_record(team: Team) -> None:
    other = team.case_set.rename(team.folder / "cases.json")
    line = refused(team.gate(case_set=other, workspace=team.root / "ws"), 2)
    assert "has to rest on a file named case_set.json" in line
    assert team.gate(case_set=other).exit_code == 0


# The process


def process(team: Team, *more: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [COMMAND, "gate", *team.arguments(**{"format": "json"}), *more]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment})


@pytest.mark.process
def test_nothing_but_the_evidence_changes_the_decision(team: Team) -> None:
    first = process(team)
    assert first.returncode == 0 and first.stderr == b""
    again = [
        process(team),
        process(team, LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8"),
        process(team, LC_ALL="C", PYTHONHASHSEED="7"),
        process(team, TZ="Asia/Tokyo", PYTHONHASHSEED="8"),
    ]
    for name, wrong in (("candidate.csv", [2]), ("champion.csv", [1])):
        order = random.Random(name).sample(range(400), 400)
        write_scores(team.root / name, scored(CASES, wrong=wrong), order=order)
        again.append(
            subprocess.run(
                [COMMAND, "gate", *team.arguments(team.root / "candidate.csv", format="json")],
                capture_output=True,
            )
        )
    assert {done.stdout for done in again} == {first.stdout}


@pytest.mark.process
@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_heavy_packages_are_not_imported(team: Team, form: str) -> None:
    heavy = "('tensorflow', 'tfx', 'pandas', 'scipy.stats', 'apache_beam', 'keras', 'pydantic')"
    program = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import main; "
        f"done = CliRunner().invoke(main, ['gate', *{team.arguments(format=form)!r}]); "
        f"print(done.exit_code, [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "0 []", done.stderr
