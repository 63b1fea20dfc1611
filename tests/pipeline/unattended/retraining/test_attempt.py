"""What is left on disk of an attempt at each moment it can be killed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from components.decision import CheckResult, Verdict
from components.records.errors import UsageError
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import (
    Attempt,
    AttemptJournal,
    Damaged,
    new_attempt_id,
    settled,
)
from pipeline.unattended.retraining.tries import ChildOutcome, Try
from tests.pipeline.unattended.retraining.making import decision

BEGUN = Attempt(
    attempt_id="20260131T030000Z-4f2a91",
    trigger="schedule",
    why=None,
    started="2026-01-31T03:00:00.000Z",
    pid=4711,
    data="phantom",
    version_before=3,
)
ENDED = replace(BEGUN, state="blocked", exit_code=1, seconds=1.5)


@pytest.fixture
def journal(tmp_path: Path) -> AttemptJournal:
    made = AttemptJournal(Workspace(tmp_path / "ws"))
    made.folder.mkdir(parents=True)
    return made


def test_an_attempt_that_goes_on_is_unfinished_until_it_is_closed(journal: AttemptJournal) -> None:
    assert journal.unfinished() is None
    journal.begin(BEGUN)
    assert journal.unfinished() == BEGUN
    assert not journal.has_line(BEGUN)
    journal.end(ENDED)
    assert journal.unfinished() == BEGUN
    assert journal.has_line(BEGUN)
    journal.close(ENDED)
    assert journal.unfinished() is None


def test_the_last_attempt_stays_known_while_the_next_goes_on(journal: AttemptJournal) -> None:
    journal.close(ENDED)
    journal.begin(replace(BEGUN, attempt_id="other"))
    assert json.loads(journal.state.read_text())["last"] == ENDED.as_json()


def test_a_torn_line_stays_apart_from_the_next(journal: AttemptJournal) -> None:
    journal.end(ENDED)
    whole = journal.attempts.read_bytes()
    journal.attempts.write_bytes(whole + whole[: len(whole) // 2])
    other = replace(ENDED, attempt_id="other")
    journal.end(other)
    first, torn, last = journal.attempts.read_bytes().splitlines()
    assert json.loads(first) == ENDED.as_json()
    assert whole.startswith(torn)
    assert json.loads(last) == other.as_json()


def test_a_torn_line_is_no_line(journal: AttemptJournal) -> None:
    journal.end(ENDED)
    journal.attempts.write_bytes(journal.attempts.read_bytes()[:-1])
    assert not journal.has_line(ENDED)


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"running": 7}', '{"running": {}}', '{"running": {"pid": 1}}', "\xff"],
)
def test_a_state_that_says_nothing_is_not_taken_for_a_good_end(
    journal: AttemptJournal, damage: str
) -> None:
    journal.state.write_bytes(damage.encode("latin-1"))
    assert journal.unfinished() == Damaged()


def refused(journal: AttemptJournal) -> str:
    with pytest.raises(UsageError) as error, AttemptJournal(Workspace(journal.root)).locked():
        raise AssertionError("it holds it")
    return f"{type(error.value).__name__}: {error.value}"


def test_one_at_a_time_and_the_other_is_named(journal: AttemptJournal) -> None:
    with journal.locked():
        journal.begin(BEGUN)
        words = refused(journal)
    assert words.startswith(f"WorkspaceBusy: {journal.root}: process 4711 (since 2026-01-31T03:00")
    with AttemptJournal(Workspace(journal.root)).locked():
        pass


def test_a_busy_workspace_without_a_name_is_busy_all_the_same(journal: AttemptJournal) -> None:
    with filelock.FileLock(journal.root / ".retrain.lock"):
        assert refused(journal).startswith(f"WorkspaceBusy: {journal.root}: ")


def test_a_workspace_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = refused(AttemptJournal(Workspace(tmp_path / "file" / "ws")))
    assert words.startswith(f"ConfigError: {tmp_path}/file/ws: ")


def test_no_two_attempts_have_one_name() -> None:
    assert len({new_attempt_id() for _ in range(100)}) == 100


def test_a_line_that_does_not_fit_on_the_disk_is_no_line(
    journal: AttemptJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:100]))
    with pytest.raises(OSError, match="No space left on device"):
        journal.end(ENDED)
    assert not journal.has_line(ENDED)


BROKEN = CheckResult("self_test", "self_test", Verdict.INCONCLUSIVE, "the gate is broken")


@pytest.mark.parametrize("code", [4, 5, 70])
def test_a_gate_that_could_not_judge_is_a_failure_with_its_reason(code: int) -> None:
    made = replace(decision("INCONCLUSIVE"), exit_code=code, checks=(BROKEN,))
    outcome = ChildOutcome(made, code, False, False, 3, "report.html")
    attempt = settled(BEGUN, [Try(code, 1.0, outcome=outcome)], load_config(None), again=False)
    assert (attempt.state, attempt.exit_code) == ("failed", code)
    assert attempt.error == "self_test: the gate is broken"


@pytest.mark.parametrize("version, state", [(3, "nothing_new"), (4, "released")])
def test_after_a_death_it_is_what_is_served_that_tells_whether_it_released(
    version: int, state: str
) -> None:
    outcome = ChildOutcome(decision("PASS"), 0, True, True, version, "report.html")
    attempt = settled(BEGUN, [Try(0, 1.0, outcome=outcome)], load_config(None), again=True)
    assert (BEGUN.version_before, attempt.state) == (3, state)
