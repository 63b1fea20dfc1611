import math
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.proposal import GoldenProposal, load_proposal, save_proposal
from components.records.errors import IntegrityError
from tests.components.planting import locked, scored, sha

PROPOSAL = GoldenProposal(
    scores=scored(locked(4, 6)),
    by="B. Statistician",
    date="2025-03-31T12:00:00Z",
    run_id="run-1",
    decision_sha256=sha("decision"),
    waived=("sensitivity[overall].floor",),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_proposal(PROPOSAL, tmp_path / "proposal.json")
    return tmp_path / "proposal.json"


def test_round_trip(saved: Path) -> None:
    back = load_proposal(saved)
    assert back.proposal_sha256 == PROPOSAL.proposal_sha256
    assert back.scores.scores_sha256 == PROPOSAL.scores.scores_sha256
    assert (back.by, back.waived) == (PROPOSAL.by, PROPOSAL.waived)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('["case-0000",0.8]', '["case-0000",0.81]', "scores were edited"),
        ('"by":"B. Statistician"', '"by":"A. Statistician"', "the proposal was edited"),
        ('"run_id":"run-1"', '"run_id":"run-2"', "the proposal was edited"),
        ('"waived":["sensitivity[overall].floor"]', '"waived":[]', "the proposal was edited"),
        ('"proposal"', '"approval"', "unknown key 'approval'"),
    ],
)
def test_an_edit_is_found(saved: Path, old: str, new: str, message: str) -> None:
    text = saved.read_text()
    assert text.count(old) == 1
    saved.write_text(text.replace(old, new))
    with pytest.raises(IntegrityError, match=message):
        load_proposal(saved)


def test_a_proposal_is_no_golden(saved: Path) -> None:
    from components.baselines.golden import load_golden

    with pytest.raises(IntegrityError, match="unknown key 'proposal'"):
        load_golden(saved)


def test_scores_that_cannot_judge_are_not_proposed(tmp_path: Path) -> None:
    broken = replace(PROPOSAL.scores, operating_point=math.nan)
    with pytest.raises(IntegrityError, match="finite"):
        save_proposal(replace(PROPOSAL, scores=broken), tmp_path / "proposal.json")
