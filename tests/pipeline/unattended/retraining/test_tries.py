"""Which ends are worth another try, and how long the tries go on."""

import json
from collections.abc import Callable, Iterable

import pytest

from components.records.errors import (
    AnomaliesFound,
    CasegateError,
    ConfigError,
    IntegrityError,
    NothingEvaluated,
    TooFewCases,
    WorkspaceBusy,
)
from pipeline.settings.sections import RetrainingConfig
from pipeline.unattended.retraining.child import Ended
from pipeline.unattended.retraining.tries import Try, read_try, run_tries
from tests.pipeline.unattended.retraining.making import decision


def ended(
    code: int | None = 70,
    last_words: str = "internal error: OSError: gone",
    *,
    signal: int | None = None,
    stopped: str | None = None,
    stdout: str = "",
    error: CasegateError | None = None,
) -> Ended:
    return Ended(code, signal, stopped, stdout, last_words, 1.0, error)


def told(verdict: str, **changed: object) -> str:
    made = decision(verdict)
    document = {
        "exit_code": made.exit_code,
        "served_from_cache": False,
        "already_released": False,
        "version": None,
        "release": None,
        "report": "report.html",
        "decision": json.loads(made.to_json()),
    }
    return json.dumps({**document, **changed})


class Children:
    """Ends one after another; the last again and again."""

    def __init__(self, *ends: Ended) -> None:
        self.ends, self.granted = list(ends), list[float]()
        self.slept, self.said = list[float](), list[str]()

    def start(self, seconds: float) -> Ended:
        self.granted.append(seconds)
        return self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]

    def tries(
        self,
        *,
        retries: int = 2,
        minutes: int = 60,
        room: Callable[[], None] = lambda: None,
        freed: Iterable[bool] = (),
    ) -> list[Try]:
        answers = iter(freed)
        return run_tries(
            self.start,
            RetrainingConfig(timeout_minutes=minutes, retries=retries, retry_wait_seconds=60),
            room=room,
            freed=lambda seconds: next(answers),
            say=self.said.append,
            sleep=self.slept.append,
        )


@pytest.mark.parametrize(
    "error",
    [
        AnomaliesFound("data.source: feature 'brightness' is missing"),
        ConfigError("model.epochs: got 0, wanted 1 to 10000"),
        IntegrityError("ledger.jsonl:3: does not fit"),
        NothingEvaluated("no case was judged"),
    ],
)
def test_a_refusal_keeps_its_code_and_is_never_tried_again(error: CasegateError) -> None:
    last = read_try(ended(error.exit_code, "noise at exit", error=error))
    assert (last.exit_code, last.worth_another) == (error.exit_code, False)
    assert last.as_json()["error"] == error.as_json()
    assert error.code in last.reason and str(error) in last.reason


def test_a_usage_error_without_an_object_is_not_tried_again() -> None:
    last = read_try(ended(2, "python: can't open file 'x'"))
    assert (last.exit_code, last.busy, last.worth_another) == (2, False, False)


@pytest.mark.parametrize(
    "code, words",
    [
        (70, "internal error: ValueError: x"),
        (70, "CasegateError: internal error: OSError: x"),
        (1, "ModuleNotFoundError: No module named 'tfx'"),  # a traceback ends with 1
        (4, "IntegrityError: nobody goes by the first word of a line"),
        (0, "all is well"),  # and said nothing of what it decided
        (134, "terminate called"),
    ],
)
def test_what_is_no_verdict_is_an_internal_error_and_tried_again(code: int, words: str) -> None:
    last = read_try(ended(code, words))
    assert (last.exit_code, last.reason, last.worth_another) == (70, words, True)


@pytest.mark.parametrize(
    "code, error",
    [(70, CasegateError("x")), (1, IntegrityError("says 4")), (3, TooFewCases("says 5"))],
)
def test_an_error_that_is_no_refusal_is_tried_again(code: int, error: CasegateError) -> None:
    last = read_try(ended(code, error=error))
    assert (last.exit_code, last.worth_another) == (70, True)
    assert last.reason == error.line


@pytest.mark.parametrize("verdict, code", [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 3)])
def test_a_decision_is_read_and_not_tried_again(verdict: str, code: int) -> None:
    last = read_try(ended(code, stdout=told(verdict)))
    assert last.outcome is not None and not last.worth_another
    assert (last.outcome.decision, last.exit_code) == (decision(verdict), code)


@pytest.mark.parametrize(
    "stdout",
    [
        told("FAIL"),  # another code than the process ended with
        told("PASS")[:-1],
        told("PASS", decision=None),
        told("PASS").replace('"verdict": "PASS"', '"verdict": "FAIL"', 1),
        "[]",
        "0",
        "",
    ],
)
def test_an_outcome_that_does_not_hold_is_no_pass(stdout: str) -> None:
    last = read_try(ended(0, stdout=stdout))
    assert (last.exit_code, last.outcome, last.worth_another) == (70, None, True)


def test_a_signal_is_named_and_worth_another_try() -> None:
    last = read_try(ended(None, signal=9))
    assert (last.exit_code, last.signal, last.worth_another) == (70, "SIGKILL", True)
    assert read_try(ended(None, signal=40)).reason == "the run was killed by signal 40"


def test_a_limit_that_was_met_is_not_tried_again() -> None:
    last = read_try(ended(None, signal=15, stopped="took longer than 5 minutes"))
    assert last.reason == "the run took longer than 5 minutes and was ended"
    assert (last.exit_code, last.worth_another) == (70, False)


def test_waits_double_and_the_retries_are_counted() -> None:
    children = Children(ended())
    assert len(children.tries(retries=3)) == 4
    assert children.slept == [60, 120, 240]


def test_no_retries_is_one_try() -> None:
    assert len(Children(ended()).tries(retries=0)) == 1


def test_a_try_that_does_better_is_the_last() -> None:
    children = Children(ended(), ended(1, stdout=told("FAIL")), ended())
    assert [each.exit_code for each in children.tries()] == [70, 1]


def test_no_try_is_begun_that_the_time_does_not_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 50))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    children = Children(ended())
    assert len(children.tries(retries=9, minutes=5)) == 2
    assert children.granted == sorted(children.granted, reverse=True)
    assert children.granted[0] == 250


def test_each_try_needs_room_and_the_last_word_is_the_disk() -> None:
    def none_left() -> None:
        raise CasegateError("/ws: the disk has 0.00 GiB free")

    last = Children(ended()).tries(room=none_left)[-1]
    assert (last.exit_code, last.worth_another) == (70, False)
    assert "[CG9001]" in last.reason and "/ws: the disk has 0.00 GiB free" in last.reason


BUSY = ended(2, error=WorkspaceBusy("ws: in use by process 4711"))


def test_waiting_for_the_workspace_costs_no_retry() -> None:
    children = Children(BUSY, BUSY, ended(1, stdout=told("FAIL")))
    (only,) = children.tries(retries=0, freed=[True, True])
    assert only.exit_code == 1


def test_a_workspace_that_never_gets_free_ends_in_busy() -> None:
    (only,) = Children(BUSY).tries(freed=[True, True, False])
    assert (only.exit_code, only.busy) == (2, True)
