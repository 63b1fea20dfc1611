import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from components.baselines.scores import CaseScores
from components.decision import Verdict
from components.lineage.record import Environment
from components.records.errors import SourceError
from components.records.problems import json_line
from pipeline.evidence.reproduce import reproduce
from pipeline.evidence.reproduce.reproduce import differing_checks, differing_environment
from pipeline.evidence.reproduce.scores import (
    DIFFERENT,
    IDENTICAL,
    WITHIN,
    SameScores,
    ScoreDifference,
    compare_scores,
)
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
    monkeypatch.setattr(reproduce, "watched", lambda *given, say: (2, ["progress", last]))
    code: Any = SimpleNamespace(command=lambda *words: words)
    laid: Any = SimpleNamespace(config="c", workspace=SimpleNamespace(root="w"))
    record: Any = SimpleNamespace(run_id="r")
    exit_code, words = reproduce._run(code, laid, record, print)
    assert exit_code == 2 and words.endswith(why)


OLD = {"case-1": 0.1, "case-2": 0.5, "case-3": 0.9}


def scores(said: dict[str, float]) -> CaseScores:
    return CaseScores(tuple(said), list(said.values()), 0.5, "model", "root")


def compared(tolerance: float = 1e-6, **changed: float) -> SameScores:
    new = {**OLD, **{name.replace("_", "-"): score for name, score in changed.items()}}
    return compare_scores(scores(OLD), scores(new), tolerance=tolerance)


def test_the_same_bits_are_identical_whatever_the_order() -> None:
    turned = dict(reversed(OLD.items()))
    found = compare_scores(scores(OLD), scores(turned), tolerance=0.0)
    assert (found.outcome, found.cases, found.first, found.largest) == (IDENTICAL, 3, None, None)


def test_one_bit_is_within_tolerance_and_not_identical() -> None:
    found = compared(case_2=math.nextafter(0.5, 1))
    assert found.outcome == WITHIN
    assert found.first == ScoreDifference("case-2", 0.5, math.nextafter(0.5, 1))


def test_one_bit_is_different_where_nothing_is_tolerated() -> None:
    assert compared(0.0, case_2=math.nextafter(0.5, 1)).outcome == DIFFERENT


def test_a_difference_equal_to_the_tolerance_is_within_it() -> None:
    assert compared(0.25, case_2=0.75).outcome == WITHIN
    assert compared(0.25, case_2=math.nextafter(0.75, 1)).outcome == DIFFERENT


def test_names_the_first_case_beyond_the_tolerance_and_the_largest() -> None:
    found = compared(0.01, case_1=0.101, case_2=0.6, case_3=0.5)
    assert found.outcome == DIFFERENT
    assert found.first == ScoreDifference("case-2", 0.5, 0.6)
    assert found.largest is not None and found.largest.case_id == "case-3"
    assert [one.case_id for one in found.differing] == ["case-1", "case-2", "case-3"]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_any_more_is_never_tolerated(odd: float) -> None:
    assert compared(math.inf, case_2=odd).outcome == DIFFERENT


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_failed_model_is_reproduced_by_the_same_failure(odd: float) -> None:
    both = scores({**OLD, "case-2": odd})
    assert compare_scores(both, both, tolerance=0.0).outcome == IDENTICAL


def test_a_case_that_was_not_scored_again_is_a_difference() -> None:
    found = compare_scores(scores(OLD), scores({"case-1": 0.1, "case-2": 0.5}), tolerance=1.0)
    assert found.outcome == DIFFERENT
    assert found.first == ScoreDifference("case-3", 0.9, None)


def test_a_case_that_was_never_there_is_a_difference() -> None:
    assert compared(1.0, case_4=0.2).first == ScoreDifference("case-4", None, 0.2)


def test_a_tolerance_that_is_no_number_tolerates_nothing() -> None:
    assert compared(math.nan, case_2=0.5000001).outcome == DIFFERENT


@pytest.mark.parametrize("outcome", [WITHIN, DIFFERENT])
def test_noise_that_nobody_kept_is_neither_reproduced_nor_held_against_the_run(
    outcome: str,
) -> None:
    for same_exports in (True, False):
        found = reproduce.ending(outcome, same_exports=same_exports, noisy=True)
        assert found == (3, (reproduce.OTHER_AGAIN,))


def test_secret_noise_that_comes_out_again_was_no_secret() -> None:
    found = reproduce.ending(IDENTICAL, same_exports=True, noisy=True)
    assert found == (1, (reproduce.SAME_AGAIN,))


@pytest.mark.parametrize(
    ("outcome", "same_exports", "exit_code"),
    [(IDENTICAL, True, 0), (WITHIN, True, 0), (WITHIN, False, 1), (DIFFERENT, True, 1)],
)
def test_without_noise_scores_and_exports_have_to_come_out(
    outcome: str, same_exports: bool, exit_code: int
) -> None:
    assert reproduce.ending(outcome, same_exports=same_exports, noisy=False) == (exit_code, ())
