import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet
from components.baselines.golden import (
    Golden,
    GoldenProposal,
    Rescoring,
    load_golden,
    load_proposal,
    rescored_golden,
    save_golden,
    unscored,
)
from components.baselines.scores import aligned
from components.records.errors import IntegrityError
from tests.components.planting import approved, locked, scored, seen_case, sha
from tests.refusing import refused

GOLDEN = approved(scored(locked(4, 6), model="golden"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_golden(GOLDEN, tmp_path / "golden.json")
    return tmp_path / "golden.json"


def test_round_trip(saved: Path) -> None:
    back = load_golden(saved)
    np.testing.assert_array_equal(back.scores.scores, GOLDEN.scores.scores)
    assert back.approval == GOLDEN.approval and back.golden_sha256 == GOLDEN.golden_sha256


@pytest.mark.parametrize(
    "old, new, fact",
    [
        ('["case-0000",0.8]', '["case-0000",0.81]', "scores"),
        ('"operating_point": 0.5', '"operating_point": 0.4', "scores"),
        ('"by":"A. Radiologist"', '"by":"B. Radiologist"', "approval"),
        ('"date":"2025-03-31"', '"date":"2025-03-30"', "approval"),
        ('"latency_ms": null', '"latency_ms": {}', "header"),
        ('"case-0009"', '"case-0008"', "scores"),
        ('["case-0000",0.8]', '["case-0000",1e999]', "scores"),
        ('["case-0000",0.8]', '["case-0000",null]', "wanted number"),
    ],
)
def test_an_edit_is_found(saved: Path, old: str, new: str, fact: str) -> None:
    text = saved.read_text()
    assert text.count(old) == 1
    saved.write_text(text.replace(old, new))
    with refused(IntegrityError, saved, fact):
        load_golden(saved)


def test_every_changed_byte_that_matters_is_found(saved: Path) -> None:
    content = saved.read_bytes()
    for place in range(0, len(content), 7):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            back = load_golden(saved)
        except IntegrityError:
            continue
        # What is left is white space and the spelling of a number: the content is the same.
        assert back.golden_sha256 == GOLDEN.golden_sha256


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_golden_that_cannot_judge_is_never_saved(tmp_path: Path, bad: float) -> None:
    scores = scored(locked(4, 6))
    scores.scores[2] = bad
    with refused(IntegrityError, "finite"):
        save_golden(Golden(scores, GOLDEN.approval), tmp_path / "golden.json")
    with refused(IntegrityError, "finite"):
        save_golden(approved(replace(scored(locked(4, 6)), operating_point=bad)), tmp_path / "g")


CARRIED = replace(
    GOLDEN.approval,
    rescored=(
        Rescoring(sha("version 1"), sha("version 2"), "A. Radiologist", "new device", "2025-04-01"),
        Rescoring(sha("version 2"), sha("version 3"), "B. Statistician", "label", "2025-05-01"),
    ),
)


def test_golden_carried_over_to_amended_case_sets_says_so(tmp_path: Path) -> None:
    save_golden(replace(GOLDEN, approval=CARRIED), tmp_path / "golden.json")
    back = load_golden(tmp_path / "golden.json")
    assert back.approval == CARRIED
    assert back.golden_sha256 != GOLDEN.golden_sha256


def test_golden_never_carried_over_is_spelled_as_before(saved: Path) -> None:
    assert set(json.loads(saved.read_text())["approval"]) == {
        "by",
        "reason",
        "date",
        "decision_sha256",
    }


def test_an_edit_of_how_golden_was_carried_over_is_found(tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    save_golden(replace(GOLDEN, approval=CARRIED), path)
    text = path.read_text()
    for old, new in (("2025-05-01", "2025-05-02"), ("B. Statistician", "C. Statistician")):
        path.write_text(text.replace(old, new))
        with refused(IntegrityError, path, "approval"):
            load_golden(path)
    path.write_text(text.replace('"reason":"label"', '"reason":"label","more":1'))
    with refused(IntegrityError, path, "'more'"):
        load_golden(path)


PROPOSAL = GoldenProposal(
    scores=scored(locked(4, 6)),
    by="B. Statistician",
    date="2025-03-31T12:00:00Z",
    run_id="run-1",
    decision_sha256=sha("decision"),
    waived=("sensitivity[overall].floor",),
)


@pytest.fixture
def proposed(tmp_path: Path) -> Path:
    save_golden(PROPOSAL, tmp_path / "proposal.json")
    return tmp_path / "proposal.json"


def test_a_proposal_comes_back(proposed: Path) -> None:
    back = load_proposal(proposed)
    assert back.proposal_sha256 == PROPOSAL.proposal_sha256
    assert back.scores.scores_sha256 == PROPOSAL.scores.scores_sha256
    assert (back.by, back.waived) == (PROPOSAL.by, PROPOSAL.waived)


@pytest.mark.parametrize(
    "old, new, fact",
    [
        ('["case-0000",0.8]', '["case-0000",0.81]', "scores"),
        ('"by":"B. Statistician"', '"by":"A. Statistician"', "proposal"),
        ('"run_id":"run-1"', '"run_id":"run-2"', "proposal"),
        ('"waived":["sensitivity[overall].floor"]', '"waived":[]', "proposal"),
        ('"proposal"', '"approval"', "'approval'"),
    ],
)
def test_an_edit_of_a_proposal_is_found(proposed: Path, old: str, new: str, fact: str) -> None:
    text = proposed.read_text()
    assert text.count(old) == 1
    proposed.write_text(text.replace(old, new))
    with refused(IntegrityError, proposed, fact):
        load_proposal(proposed)


def test_a_proposal_is_no_golden(proposed: Path) -> None:
    from components.baselines.golden import load_golden

    with refused(IntegrityError, "'proposal'"):
        load_golden(proposed)


def test_scores_that_cannot_judge_are_not_proposed(tmp_path: Path) -> None:
    broken = replace(PROPOSAL.scores, operating_point=math.nan)
    with refused(IntegrityError, "finite"):
        save_golden(replace(PROPOSAL, scores=broken), tmp_path / "proposal.json")


BEFORE = locked(3, 3)
APPROVED = approved(scored(BEFORE, wrong=[1], model="go"))


def amended(**changes: Any) -> CaseSet:
    return amend_case_set(
        BEFORE, CaseChanges(**changes), author="B. Reader", reason="why", date="2025-04-01"
    )


def test_scores_of_unchanged_pictures_carry_over() -> None:
    after = amended(retire=("case-0005",), relabel=(("case-0004", 1),), sentinel=("case-0000",))
    golden = rescored_golden(APPROVED, BEFORE, after, {})
    assert unscored(BEFORE, after) == ()
    np.testing.assert_array_equal(aligned(golden.scores, after), APPROVED.scores.scores[:5])
    assert golden.scores.model_sha256 == APPROVED.scores.model_sha256
    assert golden.scores.operating_point == APPROVED.scores.operating_point


def test_the_approval_stands_and_names_each_amendment(tmp_path: Path) -> None:
    second = amended(sentinel=("case-0000",))
    golden = rescored_golden(APPROVED, BEFORE, second, {})
    third = amend_case_set(
        second, CaseChanges(retire=("case-0001",)), author="C", reason="x", date="2025-05-01"
    )
    golden = rescored_golden(golden, second, third, {})
    assert replace(golden.approval, rescored=()) == APPROVED.approval
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
    golden = rescored_golden(APPROVED, BEFORE, after, {"case-0009": 0.75, "a": 0.125})
    assert golden.scores.case_ids == tuple(case.case_id for case in after.cases)
    assert (golden.scores.scores[0], golden.scores.scores[-1]) == (0.125, 0.75)


def test_a_case_without_a_score_is_an_error() -> None:
    with refused(IntegrityError, "no score", "1 (case-0009)"):
        rescored_golden(APPROVED, BEFORE, amended(add=(seen_case(9, 1),)), {})


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_an_error(score: float) -> None:
    with refused(IntegrityError, "not finite", "1 (case-0009)"):
        rescored_golden(APPROVED, BEFORE, amended(add=(seen_case(9, 1),)), {"case-0009": score})


def test_a_picture_that_changed_under_its_id_does_not_keep_its_score() -> None:
    cases = (replace(BEFORE.cases[0], pixels_sha256=sha("other")), *BEFORE.cases[1:])
    assert unscored(BEFORE, replace(BEFORE, cases=cases)) == ("case-0000",)


def test_golden_of_another_version_is_an_error() -> None:
    other = locked(3, 4)
    with refused(IntegrityError, "golden", other.merkle_root[:12]):
        rescored_golden(APPROVED, other, amended(sentinel=("case-0000",)), {})
