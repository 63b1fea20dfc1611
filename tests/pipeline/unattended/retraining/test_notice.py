"""The words of a notice, for each thing that can become of an attempt."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.decision import CheckResult, Flips, Verdict
from components.notify.delivery import Delivery
from components.notify.notice import Message
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import Attempt, Retrained
from pipeline.unattended.retraining.notice import KINDS, message, show_retrained
from pipeline.unattended.retraining.tries import ChildOutcome
from tests.pipeline.unattended.retraining.making import decision

ATTEMPT = Attempt(
    attempt_id="20260131T030000Z-4f2a91",
    trigger="schedule",
    why=None,
    started="2026-01-31T03:00:00.000Z",
    pid=1,
    data="data/chest/span-0007",
    version_before=3,
    version=3,
    state="blocked",
    run_id="run-1",
    exit_code=1,
)
MISSED = replace(
    decision("FAIL"),
    checks=(
        CheckResult("a", "floor", Verdict.INCONCLUSIVE, "too few cases to tell"),
        CheckResult("b", "floor", Verdict.FAIL, "below the floor", estimate=0.5, limit=0.9),
        CheckResult("c", "floor", Verdict.FAIL, "waived by two", waived=True),
        CheckResult("d", "floor", Verdict.FAIL, "supporting", role="supporting"),
        CheckResult("e", "floor", Verdict.PASS, "fine"),
    ),
    flips=(
        Flips("champion", gained=(), lost=()),
        Flips("golden", gained=(), lost=("x", "y"), lost_sentinels=("y",)),
    ),
)


def noticed(attempt: Attempt, log: Path = Path("/nowhere"), made: object = MISSED) -> Message:
    return message(attempt, made, Workspace(Path("/ws")), model="pneumonia", log=log)


def test_every_state_is_told_as_a_kind_that_can_be_asked_for() -> None:
    for state in KINDS:
        told = noticed(replace(ATTEMPT, state=state, error="x"), made=None)
        assert told.kind == KINDS[state]
        assert told.subject.startswith("pneumonia: ")
        json.dumps(told.facts)


def test_only_what_stands_in_the_way_is_named_and_failures_first() -> None:
    told = noticed(ATTEMPT)
    assert told.subject == "pneumonia: blocked: 2 of 5 checks stand in the way"
    assert told.lines[1:3] == (
        "FAIL b: below the floor (estimate 0.5, limit 0.9)",
        "INCONCLUSIVE a: too few cases to tell",
    )
    assert told.facts["failed_checks"] == ["b", "a"]


def test_cases_that_are_never_to_be_missed_are_counted_and_no_case_is_named() -> None:
    told = noticed(ATTEMPT)
    (lost,) = [line for line in told.lines if "turned wrong" in line]
    assert lost == ("2 cases that golden has right turned wrong, 1 of them never to be missed.")


def test_long_lists_are_cut_and_the_report_has_the_rest() -> None:
    checks = tuple(CheckResult(f"c{i}", "floor", Verdict.FAIL, "no") for i in range(25))
    told = noticed(ATTEMPT, made=replace(MISSED, checks=checks))
    assert sum(line.startswith("FAIL c") for line in told.lines) == 10
    assert "and 15 more, in the report" in told.lines


def test_a_version_that_moved_is_said_whatever_the_state() -> None:
    assert "Version 3 is served as before." in noticed(ATTEMPT).lines
    moved = replace(ATTEMPT, state="interrupted", error="told to end", version=4)
    assert "Version 4 is served now." in noticed(moved).lines


def test_a_missing_golden_comes_with_the_command_that_makes_it() -> None:
    golden = CheckResult("baseline.golden", "baseline", Verdict.INCONCLUSIVE, "no golden scores")
    told = noticed(replace(ATTEMPT, state="inconclusive"), made=replace(MISSED, checks=(golden,)))
    assert told.lines[-1].endswith(
        "casegate baseline bootstrap --workspace /ws --by NAME --reason TEXT"
    )


def test_what_failed_names_the_log_there_is(tmp_path: Path) -> None:
    failed = replace(ATTEMPT, state="failed", error="ConfigError: no", run_id=None)
    log = tmp_path / "child.log"
    assert not any("Log:" in line for line in noticed(failed, log, None).lines)
    log.touch()
    told = noticed(failed, log, None)
    assert told.lines[0] == "ConfigError: no"
    assert f"Log: {log}" in told.lines


def test_the_same_failure_is_the_same_notice_and_another_run_is_not() -> None:
    failed = replace(ATTEMPT, state="failed", error="ConfigError: no")
    assert noticed(failed).key == noticed(replace(failed, attempt_id="other", run_id="r")).key
    assert noticed(failed).key != noticed(replace(failed, error="ConfigError: yes")).key
    assert noticed(ATTEMPT).key != noticed(replace(ATTEMPT, run_id="run-2")).key


def shown(capsys: pytest.CaptureFixture[str], state: str, verdict: str | None) -> str:
    attempt = Attempt(
        attempt_id="20260131T030000Z-4f2a91",
        trigger="schedule",
        why=None,
        started="2026-01-31T03:00:00.000Z",
        pid=1,
        data="data/chest/span-0001",
        version_before=3,
        version=3,
        state=state,
        run_id="run-1",
    )
    outcome = (
        ChildOutcome(decision(verdict), 0, False, False, 3, "report.html") if verdict else None
    )
    show_retrained(Retrained(attempt, outcome, (Delivery("smtp", "sent", "id"),)))
    return capsys.readouterr().out


def test_what_is_blocked_names_each_check_and_what_is_served(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "blocked", "FAIL")
    assert "FAIL  not released: checks failed" in out
    assert "FAIL sensitivity[overall].non_inferiority.golden: the loss is at least" in out
    assert "served   version 3" in out
    assert "told     smtp: sent" in out


def test_nothing_new_names_the_run_that_stands_and_lists_no_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "nothing_new", "FAIL")
    assert "nothing new since run run-1, whose verdict was FAIL" in out
    assert "sensitivity" not in out


def test_what_failed_says_what_is_served_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "failed", None)
    assert out.startswith("\nfailed\nserved   version 3\n")
