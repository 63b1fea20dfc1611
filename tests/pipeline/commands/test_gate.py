"""`casegate gate`: the pipeline's decision from score files, in a second, for any framework."""

import random
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.baselines.golden import load_golden
from components.baselines.scores import save_scores
from components.decision import Decision, Verdict
from components.gate.conditions import EvaluatorFindings
from components.gate.decide import decide
from components.gate.policy import load_policy
from components.records.errors import IntegrityError, UsageError
from tests.components.planting import scored
from tests.pipeline.score_making import CASES, Team, decided, write_scores
from tests.refusing import refusal

COMMAND = str(Path(sys.executable).parent / "casegate")
IDS = [case.case_id for case in CASES.cases]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


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
    assert [check for check in one.checks if check.rule not in ("servable", "agreement")] == list(
        two.checks
    )
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
    line = refusal(team.gate(path), IntegrityError)
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
    assert "no ledger: looks " in counted


# Operating points


def test_no_operating_point_is_refused_and_none_is_assumed(team: Team) -> None:
    line = refusal(team.gate(operating_point=None), UsageError)
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
    line = refusal(team.gate(path, "--operating-point", "candidate=0.5"), UsageError)
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
    assert wanted in refusal(team.gate(None, *options, operating_point=None), UsageError)


def test_an_operating_point_that_nothing_needs_is_refused(team: Team, tmp_path: Path) -> None:
    save_scores(scored(CASES, wrong=[2]), tmp_path / "candidate.json")
    line = refusal(team.gate(tmp_path / "candidate.json", champion=None), UsageError)
    assert "everything given has an operating point of its own" in line
