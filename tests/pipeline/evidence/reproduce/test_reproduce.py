from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from components.decision import Verdict
from components.lineage.record import Environment
from components.records.errors import SourceError
from components.records.problems import json_line
from pipeline.evidence.reproduce import reproduce
from pipeline.evidence.reproduce.reproduce import differing_checks, differing_environment
from tests.components.report.making import FLOOR, MARGIN, decision

HERE = Environment("3.10.13", "Linux 6", "AMD", 2, 1, None, "lock", {"numpy": "1", "tfx": "2"})


def test_checks_with_the_same_verdict_agree_whatever_their_figures() -> None:
    moved = replace(FLOOR, estimate=0.5, reason="otherwise")
    assert differing_checks(decision(FLOOR, MARGIN), decision(moved, MARGIN)) == []


def test_a_check_with_another_verdict_is_named_with_both_reasons() -> None:
    other = Verdict.FAIL if FLOOR.verdict is Verdict.PASS else Verdict.PASS
    again = decision(replace(FLOOR, verdict=other, reason="slower"), MARGIN)
    (row,) = differing_checks(decision(FLOOR, MARGIN), again)
    assert row == (FLOOR.check, FLOOR.verdict.value, other.value, FLOOR.reason, "slower")


def test_a_check_that_one_decision_lacks_is_named() -> None:
    (row,) = differing_checks(decision(FLOOR, MARGIN), decision(FLOOR))
    assert row[:3] == (MARGIN.check, MARGIN.verdict.value, None)


def test_the_same_environment_has_no_differences() -> None:
    assert differing_environment(HERE, replace(HERE, memory_bytes=2)) == []


def test_packages_that_came_went_or_changed_are_named() -> None:
    there = replace(HERE, cpu="Intel", packages={"numpy": "2", "keras": "3"})
    assert differing_environment(HERE, there) == [
        ("cpu", "AMD", "Intel"),
        ("package keras", None, "3"),
        ("package numpy", "1", "2"),
        ("package tfx", "2", None),
    ]


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (json_line(SourceError("chest: no such folder")), "chest: no such folder [CG2004]"),
        ("SourceError: chest: as 0.1 says it", "SourceError: chest: as 0.1 says it"),
    ],
)
def test_what_ended_the_repetition_is_read_by_a_person(
    monkeypatch: pytest.MonkeyPatch, last: str, why: str
) -> None:
    monkeypatch.setattr(reproduce, "watched", lambda command, **given: (2, ["progress", last]))
    code: Any = SimpleNamespace(command=lambda *words: words, environ=dict, folder=None)
    laid: Any = SimpleNamespace(config="c", workspace=SimpleNamespace(root="w"))
    record: Any = SimpleNamespace(run_id="r")
    exit_code, words = reproduce._run(code, laid, record, print)
    assert exit_code == 2 and words.endswith(why)
