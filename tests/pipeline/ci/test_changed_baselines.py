"""Governed files only ever move one way, whatever a commit says."""

import pytest

from components.baselines.case_set import save_case_set
from components.baselines.golden import save_golden
from components.records.errors import IntegrityError
from pipeline.ci.changed_baselines import (
    baseline_change,
    load_baseline,
    touched_folders,
    verify_baseline,
)
from pipeline.ci.changes import Changes, find_changes
from pipeline.ci.provider import CiJob
from tests.components.planting import approved, locked
from tests.pipeline.ci.making import TeamRepository, candidate
from tests.refusing import refused


def changes(team: TeamRepository) -> Changes:
    return find_changes(team.root, CiJob(), base=team.first, head=None, ours=())


def refusal(team: TeamRepository) -> str:
    with pytest.raises(IntegrityError) as caught:
        verify_baseline(baseline_change(team.baseline, changes(team)))
    return str(caught.value)


def approve_another(team: TeamRepository, *, kept: bool) -> None:
    golden = team.baseline / "golden.json"
    if kept:
        (team.baseline / "history").mkdir()
        (team.baseline / "history" / "golden-0001.json").write_bytes(golden.read_bytes())
    save_golden(approved(candidate(3, model="next"), "next"), golden)


def test_a_sound_baseline_is_read(team: TeamRepository) -> None:
    found = verify_baseline(baseline_change(team.baseline, changes(team)))
    assert (found.name, found.golden is not None) == ("chest", True)


def test_golden_moves_where_the_one_before_is_kept(team: TeamRepository) -> None:
    approve_another(team, kept=True)
    found = verify_baseline(baseline_change(team.baseline, changes(team)))
    assert found.golden
    assert found.golden.scores.model_sha256 == candidate(model="next").model_sha256


def test_golden_that_keeps_no_copy_is_refused(team: TeamRepository) -> None:
    approve_another(team, kept=False)
    assert "golden.json: " in refusal(team)


@pytest.mark.parametrize("name", ["case_set.json", "golden.json", "policy.yaml"])
def test_what_judges_is_never_removed(team: TeamRepository, name: str) -> None:
    (team.baseline / name).unlink()
    team.commit()
    assert f"{name}: is gone" in refusal(team)


def test_a_whole_baseline_is_never_removed(team: TeamRepository) -> None:
    team.git("rm", "-q", "-r", "baselines/chest")
    team.commit()
    assert "policy.yaml: is gone" in refusal(team)


def test_golden_of_another_case_set_is_refused(team: TeamRepository) -> None:
    with refused(IntegrityError, "golden.json: "):
        save_case_set(locked(200, 201), team.baseline / "case_set.json")
        load_baseline(team.baseline)


@pytest.mark.parametrize("change", ["altered", "removed"])
def test_history_is_never_written_over(team: TeamRepository, change: str) -> None:
    approve_another(team, kept=True)
    team.first = team.commit()
    place = team.baseline / "history" / "golden-0001.json"
    if change == "removed":
        place.unlink()
    else:
        place.write_text(place.read_text() + " ")
    team.commit()
    assert "history/golden-0001.json: is history" in refusal(team)


def test_the_touched_baselines_are_found_even_where_they_went(team: TeamRepository) -> None:
    team.git("rm", "-q", "-r", "baselines/chest")
    team.commit(**{"baselines/README": "none here"})
    found = changes(team)
    assert found.found
    assert touched_folders(found, found.found) == (team.root / "baselines" / "chest",)
