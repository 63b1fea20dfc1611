from dataclasses import replace

import pytest

from components.decision import Looks
from components.report import words
from tests.components.report import making
from tests.components.report.making import BRIER, FLOOR, MARGIN, SENTINEL, decision


def test_a_pass_says_on_how_many_cases_and_that_it_may_be_released() -> None:
    said = words.sentence(decision(FLOOR, making.EVALUATOR))
    assert said == "The candidate may be released: it passed all 2 checks on 400 historical cases."


def test_a_fail_counts_what_failed_and_what_was_not_proven() -> None:
    unproven = replace(FLOOR, verdict=making.INCONCLUSIVE)
    said = words.sentence(decision(unproven, MARGIN, SENTINEL, BRIER))
    assert "must not be released: 2 of 3 checks failed on 400" in said
    assert "1 more could not be proven" in said


def test_a_waived_failure_is_not_counted_among_those_that_block() -> None:
    said = words.sentence(decision(FLOOR, replace(MARGIN, waived=True), SENTINEL))
    assert "1 of 3 checks failed" in said


def test_a_supporting_check_is_not_counted() -> None:
    assert "its one check" in words.sentence(decision(FLOOR, BRIER))


def test_a_pass_by_waiver_says_so() -> None:
    said = words.sentence(making.waived())
    assert "only because 1 check that did not pass was waived: 3 of 4 passed" in said
    assert words.headline(making.waived()) == "may be released, with a waiver"


def test_a_first_run_asks_for_a_person_and_blames_no_case() -> None:
    said = words.sentence(making.first_run())
    assert "not released yet" in said and "nobody has approved a baseline" in said
    assert words.headline(making.first_run()).startswith("not released yet")


@pytest.mark.parametrize(
    ("exit_code", "why"),
    [(4, "does not fit together"), (5, "nothing to judge"), (70, "failed its own test")],
)
def test_what_stopped_the_gate_is_said_in_place_of_counts(exit_code: int, why: str) -> None:
    said = words.sentence(replace(making.unfit(), exit_code=exit_code))
    assert "must not" in said and why in said


def test_a_model_that_is_released_already_is_said_to_be() -> None:
    made = decision(FLOOR, already_released=True)
    assert "already released" in words.sentence(made) and "on 400" in words.sentence(made)
    assert words.headline(made) == "already released"


def test_no_check_at_all_is_no_reason_to_release() -> None:
    made = replace(decision(making.EVALUATOR), verdict=making.INCONCLUSIVE, exit_code=3)
    assert "no check judged it" in words.sentence(made)


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        (FLOOR, "Sensitivity, floor"),
        (MARGIN, "Sensitivity in device=Boreal, change against champion"),
        (making.FLIPS, "Cases turned wrong against golden"),
        (SENTINEL, "Never-miss cases against champion"),
        (BRIER, "Brier score, ceiling"),
        (making.NO_GOLDEN, "Baseline"),
        (making.AT_NORTH, "Judged at north"),
        (
            replace(making.AT_NORTH, metric="auc", against="golden"),
            "AUC at north, change against golden",
        ),
    ],
)
def test_a_check_has_a_plain_name(check: making.CheckResult, wanted: str) -> None:
    assert words.title(check) == wanted


def test_standing_says_what_a_verdict_weighs() -> None:
    assert words.standing(replace(MARGIN, waived=True)) == "FAIL, waived"
    assert words.standing(BRIER) == "INCONCLUSIVE, supporting"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, "-"),
        (0.91234, "0.912"),
        (0.0, "0.000"),
        (12.0, "12"),
        (12.34, "12.3"),
        (1234, "1234"),
    ],
)
def test_numbers_are_short(value: float | None, wanted: str) -> None:
    assert words.number(value) == wanted


def test_more_looks_than_planned_are_said() -> None:
    assert words.looks(decision(looks=Looks(21, 20))) == "21 of 20 planned, more than planned"
    assert words.looks(decision(looks=Looks(None, 20))) == "not counted here; 20 planned"
