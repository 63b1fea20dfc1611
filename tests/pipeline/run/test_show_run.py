import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.decision import CheckResult, Decision, Verdict
from components.records.events import Event
from components.release.serving import Champion
from components.report.terminal import check_name, checks_table
from pipeline.run.runner import RunOutcome
from pipeline.run.show_run import RunProgress, show_outcome
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored

PASSED = judged()
FAILED = judged(scored(CASES, wrong=range(60)))
RELEASE = Champion(3, Path("serving/pneumonia/3"), "0" * 64, Path("decision.json"))


def outcome(decision: Decision, **changed: Any) -> RunOutcome:
    release = RELEASE if decision.verdict is Verdict.PASS else None
    report, log = Path("runs/1/report.html"), Path("runs/1/run.log")
    made = RunOutcome(decision, decision.exit_code, False, release, False, report, log)
    return replace(made, **changed)


def shown(outcome: RunOutcome, *, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    show_outcome(console, outcome)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_release_is_said_with_its_version_and_place() -> None:
    text = shown(outcome(PASSED))
    assert "PASS  released as version 3" in text
    assert "release  serving/pneumonia/3" in text and "log      runs/1/run.log" in text


def test_a_release_that_is_there_already_is_not_called_new() -> None:
    text = shown(outcome(replace(PASSED, already_released=True)))
    assert "PASS  already released as version 3" in text


def test_an_unchanged_run_says_so_and_has_no_log() -> None:
    text = shown(outcome(PASSED, served_from_cache=True, log=None))
    assert "nothing changed since: already released as version 3" in text
    assert "run.log" not in text


def test_a_refusal_counts_the_failed_checks_and_gives_each_reason() -> None:
    text = shown(outcome(FAILED))
    failed = [check for check in FAILED.checks if check.verdict is Verdict.FAIL]
    assert failed and f"not released: {len(failed)} of {len(FAILED.checks)} checks failed" in text
    words = " ".join(text.split())
    assert all(" ".join(f"{check.check}: {check.reason}".split()) in words for check in failed)
    assert "nothing is released" in text


def test_an_undecided_run_says_that_nothing_is_released() -> None:
    undecided = judged(scored(CASES, wrong=range(8)))
    assert undecided.verdict is Verdict.INCONCLUSIVE
    assert "INCONCLUSIVE  not released: the cases do not decide it" in shown(outcome(undecided))


def test_a_first_run_says_that_nobody_has_approved_golden_scores() -> None:
    text = shown(outcome(judged(golden=None)))
    assert "INCONCLUSIVE  not released: nobody has approved golden scores yet" in text
    assert "baseline.golden: " in text


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_cases_are_called_so(synthetic: bool) -> None:
    text = shown(outcome(PASSED, synthetic=synthetic))
    assert ("400 synthetic cases, 200 positive" in text) == synthetic


@pytest.mark.parametrize("name", ["chest [red]", "chest [/red]"])
def test_names_from_data_are_shown_as_they_are(name: str) -> None:
    check = replace(PASSED.checks[0], slice=f"device={name}")
    decision = replace(
        PASSED,
        policy=name,
        case_set={**PASSED.case_set, "name": name},
        checks=(check,),
        findings=(name,),
    )
    text = shown(outcome(decision))
    assert f"{name} version 1, policy {name}" in text
    assert f"device={name}" in text and f"note: {name}" in text


def rendered(check: CheckResult, *, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(checks_table([check], wide=width >= 96))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


FLOOR = CheckResult(
    "sensitivity[overall].floor",
    "floor",
    Verdict.PASS,
    "",
    metric="sensitivity",
    slice="overall",
    n=200,
    estimate=0.95,
    lower=0.91,
    upper=0.98,
    limit=0.8,
)


def test_a_check_shows_its_numbers() -> None:
    head, row = (line.split() for line in rendered(FLOOR, width=120).splitlines())
    assert head == ["verdict", "check", "slice", "n", "estimate", "interval", "limit"]
    assert " ".join(row) == "PASS sensitivity floor overall 200 0.950 0.910 to 0.980 0.800"


def test_a_narrow_terminal_does_without_the_number_of_cases() -> None:
    text = rendered(FLOOR, width=80)
    assert " 200 " not in text and "0.910 to 0.980" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (FLOOR, "sensitivity floor"),
        (replace(FLOOR, rule="non_inferiority", against="golden"), "sensitivity vs golden"),
        (CheckResult("self_test", "self_test", Verdict.PASS, ""), "self test"),
        (CheckResult("baseline.golden", "baseline", Verdict.FAIL, ""), "golden"),
        (
            CheckResult("x", "negative_flips", Verdict.PASS, "", against="champion"),
            "negative flips vs champion",
        ),
    ],
)
def test_a_check_is_called_what_a_person_calls_it(check: CheckResult, name: str) -> None:
    assert check_name(check) == name


def reported(*events: Event, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal)
    with RunProgress(console).display() as progress:
        for event in events:
            progress(event)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_finished_component_is_one_line() -> None:
    started = Event("started", "Trainer")
    epoch = Event("progress", detail="epoch 3/3")
    (line,) = reported(started, epoch, Event("finished", "Trainer")).splitlines()
    assert line.split() == ["Trainer", "0.0", "s", "done", "epoch", "3/3"]


def test_what_takes_long_is_said_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 25))
    monkeypatch.setattr("pipeline.run.show_run.time.monotonic", lambda: next(now))
    epochs = [Event("progress", detail=f"epoch {epoch}/9") for epoch in range(1, 10)]
    told = reported(Event("started", "Trainer"), *epochs).splitlines()
    assert 3 <= len(told) <= 5
    assert all(line.split()[:1] == ["Trainer"] and "epoch" in line for line in told)
    assert not any("done" in line for line in told)


@pytest.mark.parametrize(("kind", "word"), [("cached", "cached"), ("failed", "failed")])
def test_how_a_component_ended_is_said(kind: str, word: str) -> None:
    assert word in reported(Event("started", "Trainer"), Event(kind, "Trainer"))


def test_progress_before_any_component_is_ignored() -> None:
    assert reported(Event("progress", detail="x"), Event("finished")) == ""


def test_a_terminal_shows_what_still_runs() -> None:
    started = Event("started", "Transform"), Event("progress", detail="half [/way]")
    text = reported(*started, terminal=True)
    assert "Transform" in text and "half [/way]" in text


def test_a_terminal_shows_nothing_of_what_the_run_writes_to_its_streams() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with RunProgress(console).display() as progress:
        progress(Event("started", "Trainer"))
        print("a warning of a library", file=sys.stderr)
        print("a word of a library")
    assert "Trainer" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "of a library" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_limit_that_counts_something_is_shown_whole() -> None:
    looks = replace(FLOOR, check="looks", rule="looks", metric=None, estimate=3.0, limit=1000.0)
    assert rendered(looks, width=120).splitlines()[1].split()[-1] == "1000"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_everybody_should_read_is_a_line_of_its_own(terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=terminal)
    with RunProgress(console).display() as progress:
        progress(Event("started", "inputs"))
        progress(
            Event("notice", detail=f"labels: NORMAL is negative (0), {'x' * 80} is [left] out")
        )
        progress(Event("finished", "inputs"))
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert "labels: NORMAL is negative (0)" in text and "[left] out" in text


def test_a_run_before_the_first_approval_names_the_policy_to_edit() -> None:
    path = Path("w/baselines/chest/policy.yaml")
    assert str(path) in shown(outcome(judged(golden=None), policy=path))
    assert "policy.yaml" not in shown(outcome(PASSED))
