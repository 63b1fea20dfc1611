from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet
from components.baselines.golden import load_golden, save_golden
from components.baselines.rescore import rescored_golden, unscored
from components.baselines.scores import aligned
from components.records.errors import IntegrityError
from tests.components.planting import approved, locked, scored, seen_case, sha

BEFORE = locked(3, 3)
GOLDEN = approved(scored(BEFORE, wrong=[1], model="go"))


def amended(**changes: Any) -> CaseSet:
    return amend_case_set(
        BEFORE, CaseChanges(**changes), author="B. Reader", reason="why", date="2025-04-01"
    )


def test_scores_of_unchanged_pictures_carry_over() -> None:
    after = amended(retire=("case-0005",), relabel=(("case-0004", 1),), sentinel=("case-0000",))
    golden = rescored_golden(GOLDEN, BEFORE, after, {})
    assert unscored(BEFORE, after) == ()
    np.testing.assert_array_equal(aligned(golden.scores, after), GOLDEN.scores.scores[:5])
    assert golden.scores.model_sha256 == GOLDEN.scores.model_sha256
    assert golden.scores.operating_point == GOLDEN.scores.operating_point


def test_the_approval_stands_and_names_each_amendment(tmp_path: Path) -> None:
    second = amended(sentinel=("case-0000",))
    golden = rescored_golden(GOLDEN, BEFORE, second, {})
    third = amend_case_set(
        second, CaseChanges(retire=("case-0001",)), author="C", reason="x", date="2025-05-01"
    )
    golden = rescored_golden(golden, second, third, {})
    assert replace(golden.approval, rescored=()) == GOLDEN.approval
    steps = [(s.from_case_set, s.to_case_set, s.by, s.date) for s in golden.approval.rescored]
    assert steps == [
        (BEFORE.merkle_root, second.merkle_root, "B. Reader", "2025-04-01"),
        (second.merkle_root, third.merkle_root, "C", "2025-05-01"),
    ]
    save_golden(golden, tmp_path / "golden.json")
    assert load_golden(tmp_path / "golden.json").golden_sha256 == golden.golden_sha256


def test_an_added_case_gets_its_models_score_in_its_place() -> None:
    after = amended(add=(seen_case(9, 1), replace(seen_case(8, 0), case_id="a")))
    assert unscored(BEFORE, after) == ("a", "case-0009")
    golden = rescored_golden(GOLDEN, BEFORE, after, {"case-0009": 0.75, "a": 0.125})
    assert golden.scores.case_ids == tuple(case.case_id for case in after.cases)
    assert (golden.scores.scores[0], golden.scores.scores[-1]) == (0.125, 0.75)


def test_a_case_without_a_score_is_an_error() -> None:
    with pytest.raises(IntegrityError, match=r"no score for 1 \(case-0009\)"):
        rescored_golden(GOLDEN, BEFORE, amended(add=(seen_case(9, 1),)), {})


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_an_error(score: float) -> None:
    with pytest.raises(IntegrityError, match=r"not finite: 1 \(case-0009\)"):
        rescored_golden(GOLDEN, BEFORE, amended(add=(seen_case(9, 1),)), {"case-0009": score})


def test_a_picture_that_changed_under_its_id_does_not_keep_its_score() -> None:
    cases = (replace(BEFORE.cases[0], pixels_sha256=sha("other")), *BEFORE.cases[1:])
    assert unscored(BEFORE, replace(BEFORE, cases=cases)) == ("case-0000",)


def test_golden_of_another_version_is_an_error() -> None:
    other = locked(3, 4)
    with pytest.raises(IntegrityError, match="golden: scored case set"):
        rescored_golden(GOLDEN, other, amended(sentinel=("case-0000",)), {})
