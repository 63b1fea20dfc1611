"""Rows of a score file become one model's scores, whatever their order."""

from dataclasses import replace

import numpy as np
import pytest

from components.baselines.score_files import ScoreTable
from components.baselines.score_order import CaseOrder
from components.baselines.scores import aligned
from components.records.errors import IntegrityError
from tests.components.planting import locked
from tests.refusing import refused

CASES = locked(4, 4)
IDS = [case.case_id for case in CASES.cases]
ORDER = CaseOrder(CASES)


def table(places: list[int], *, labels: list[int] | None = None) -> ScoreTable:
    """The cases at these places, each scored a tenth of its place."""
    return ScoreTable(
        case_ids=[IDS[i] for i in places],
        scores=np.array(places) / 10,
        labels=None if labels is None else np.array(labels, np.int8),
        operating_point=None,
        ignored=(),
    )


def test_the_order_of_the_rows_makes_no_difference() -> None:
    ordered = ORDER.scores(table(list(range(8))), 0.5, where="x")
    shuffled = ORDER.scores(table([3, 7, 0, 1, 6, 5, 2, 4]), 0.5, where="x")
    assert shuffled.scores.tolist() == ordered.scores.tolist() == [i / 10 for i in range(8)]
    assert shuffled.model_sha256 == ordered.model_sha256
    assert shuffled.scores_sha256 == ordered.scores_sha256


@pytest.mark.parametrize("places", [[0, 1, 2], [0, 0, *range(1, 8)], [0, 0, *range(2, 8)]])
def test_missing_and_repeated_cases_are_left_for_the_gate_to_find(places: list[int]) -> None:
    scores = ORDER.scores(table(places), 0.5, where="x")
    backwards = ORDER.scores(table(places[::-1]), 0.5, where="x")
    assert scores.scores_sha256 == backwards.scores_sha256
    with pytest.raises(IntegrityError):
        aligned(scores, CASES)


def test_a_case_scored_twice_gives_one_hash_whichever_score_comes_first() -> None:
    twice = replace(table([0, 0]), scores=np.array([0.1, np.nan]))
    other = replace(twice, scores=twice.scores[::-1])
    first, second = (ORDER.scores(one, 0.5, where="x") for one in (twice, other))
    assert first.scores_sha256 == second.scores_sha256


def test_the_stand_in_for_the_model_is_a_hash_of_what_it_said() -> None:
    rows = table(list(range(8)))
    hashes = {
        ORDER.scores(rows, 0.5, where="x").model_sha256,
        ORDER.scores(rows, 0.4, where="x").model_sha256,
        ORDER.scores(replace(rows, scores=rows.scores + 1), 0.5, where="x").model_sha256,
        ORDER.scores(table(list(range(7))), 0.5, where="x").model_sha256,
        CaseOrder(locked(3, 5)).scores(rows, 0.5, where="x").model_sha256,
    }
    assert len(hashes) == 5
    assert ORDER.scores(rows, 0.5, where="y").model_sha256 in hashes


def test_labels_that_agree_are_taken_in_any_order() -> None:
    ORDER.scores(table([7, 0], labels=[0, 1]), 0.5, where="x")


def test_the_first_labels_that_differ_are_named() -> None:
    wrong = table([7, 0, 1, 2, 3, 4], labels=[1, 0, 0, 0, 1, 0])
    named = "4 (case-0000, case-0001, case-0002, ...)"
    with refused(IntegrityError, "champion.csv: ", "labels", "planted version 1", named):
        ORDER.scores(wrong, 0.5, where="champion.csv")
