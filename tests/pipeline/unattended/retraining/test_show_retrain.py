"""What a person reads at the end of a retraining."""

import pytest

from components.notify.delivery import Delivery
from pipeline.unattended.retraining import Retrained
from pipeline.unattended.retraining.attempt import Attempt
from pipeline.unattended.retraining.show_retrain import show_retrained
from pipeline.unattended.retraining.tries import ChildOutcome
from tests.pipeline.unattended.retraining.making import decision


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
        ChildOutcome(decision(verdict), 0, False, False, 3, None, "report.html")
        if verdict
        else None
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
