"""What stays, because something still refers to it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.golden import GoldenProposal, save_golden
from components.records.errors import IntegrityError
from components.records.files import write_atomically
from components.records.run_files import DECISION, REQUEST
from pipeline.settings.sections import RetentionConfig
from tests.components.planting import approved, locked, scored, sha
from tests.pipeline.unattended.retention.making import STRICT, Aged, run_of
from tests.refusing import refused

OLD, NEXT, LAST = "2026-01-01", "2026-01-08", "2026-06-30"


def judged_by_a_baseline(aged: Aged, day: str, folder: Path) -> Path:
    """What makes a baseline known to a workspace: a run's request that names it."""
    run = aged.workspace.run_folder(run_of(day))
    write_atomically(run / DECISION, b"{}")
    case_set = str(folder / "case_set.json")
    write_atomically(run / REQUEST, json.dumps({"case_set": [case_set, ""]}).encode())
    folder.mkdir(parents=True)
    return folder


def test_what_nothing_refers_to_goes_and_the_newest_run_stays(aged: Aged) -> None:
    old, last = aged.run(OLD), aged.run(LAST)
    found = aged.prune()
    assert aged.there(old.values()) == [False, False]
    assert aged.there(last.values()) == [True, True]
    assert {one.run_id for one in found.removed} == {run_of(OLD)}
    assert found.kept == {run_of(LAST): "one of the newest"}


def test_a_run_as_old_as_keep_days_stays_and_one_older_goes(aged: Aged) -> None:
    young, older, last = aged.run("2026-06-01"), aged.run("2026-05-31"), aged.run(LAST)
    aged.prune()
    assert aged.there(young.values()) == [True, True]
    assert aged.there(older.values()) == [False, False]
    assert aged.there(last.values()) == [True, True]


def test_the_newest_runs_are_counted_among_those_with_files(aged: Aged) -> None:
    first, second, last = aged.run(OLD), aged.run(NEXT), aged.run("2026-02-01")
    for day in ("2026-03-01", "2026-03-02"):  # unchanged runs: nothing was computed
        unchanged = aged.run(day, cached={})
        for name in unchanged.values():
            (aged.workspace.artifacts / name / "data").unlink()
            (aged.workspace.artifacts / name).rmdir()
    aged.prune(replace(STRICT, keep_runs=2))
    assert aged.there(first.values()) == [False, False]
    assert aged.there([*second.values(), *last.values()]) == [True] * 4


def test_the_run_behind_the_served_version_keeps_everything(aged: Aged) -> None:
    old = aged.run(OLD)
    aged.released(OLD, 7)
    aged.run(LAST)
    found = aged.prune()
    assert found.removed == () and aged.there(old.values()) == [True, True]
    assert found.kept[run_of(OLD)] == "version 7 is served"


def test_an_earlier_version_keeps_its_model_but_not_the_copies_of_images(aged: Aged) -> None:
    old, served = aged.run(OLD), aged.run(NEXT)
    aged.released(OLD, 7)
    aged.released(NEXT, 8)
    aged.run(LAST)
    found = aged.prune()
    assert [one.path for one in found.removed] == [f"artifacts/{old['TrainingCases/examples']}"]
    assert aged.there([old["Trainer/model"], *served.values()]) == [True] * 3
    assert found.kept[run_of(OLD)] == "version 7 came from it"


def test_a_version_that_was_taken_out_of_its_folder_keeps_nothing(aged: Aged) -> None:
    old = aged.run(OLD)
    aged.run(NEXT)
    aged.released(OLD, 7)
    aged.released(NEXT, 8)
    aged.run(LAST)
    folder = aged.workspace.serving / "pneumonia/7"
    (folder / "saved_model.pb").unlink()
    folder.rmdir()
    aged.prune()
    assert aged.there(old.values()) == [False, False]


def test_what_a_needed_run_took_from_the_cache_stays(aged: Aged) -> None:
    old = aged.run(OLD)
    examples = {"TrainingCases/examples": old["TrainingCases/examples"]}
    aged.run(LAST, cached=examples)
    aged.prune()
    assert aged.there(old.values()) == [True, False]


@pytest.mark.parametrize(("expires", "stays"), [("2026-07-01", True), ("2026-06-30", False)])
def test_a_waiver_holds_on_to_its_run_until_it_expires(
    aged: Aged, expires: str, stays: bool
) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    aged.waived(OLD, expires=expires)
    aged.prune()
    assert aged.there(old.values()) == [stays, stays]


def test_the_run_whose_model_is_golden_in_a_baseline_stays(aged: Aged, tmp_path: Path) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    aged.decided(OLD)
    baseline = judged_by_a_baseline(aged, LAST, tmp_path / "baselines" / "chest")
    golden = approved(scored(locked(4, 4), model=f"model of {OLD}"))
    save_golden(golden, baseline / "golden.json")
    assert aged.prune().kept[run_of(OLD)] == "golden of chest"
    assert aged.there(old.values()) == [True, True]


def test_the_run_whose_model_judged_last_as_golden_stays(aged: Aged) -> None:
    old, middle = aged.run(OLD), aged.run(NEXT)
    aged.run(LAST)
    aged.decided(OLD)
    aged.decided(NEXT, golden=OLD)
    aged.decided(LAST, golden=OLD)
    aged.prune()
    assert aged.there(old.values()) == [True, True]
    assert aged.there(middle.values()) == [False, False]


def test_an_open_proposal_holds_on_to_its_run(aged: Aged, tmp_path: Path) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    baseline = judged_by_a_baseline(aged, LAST, tmp_path / "baselines" / "chest")
    proposal = GoldenProposal(
        scored(locked(4, 4)), "A. Tester", "2026-06-01", run_of(OLD), sha("d"), ()
    )
    save_golden(proposal, baseline / "proposal.json")
    assert aged.prune().kept[run_of(OLD)] == "proposed as golden chest"
    assert aged.there(old.values()) == [True, True]


def test_the_last_approval_in_the_ledger_holds_on_to_its_run(aged: Aged) -> None:
    first, second = aged.run(OLD), aged.run(NEXT)
    aged.run(LAST)
    for day in (OLD, NEXT):
        hashes = ("to_golden_sha256", "decision_sha256", "model_sha256", "scores_sha256")
        body = {**dict.fromkeys(hashes, sha(day)), "case_set_root": sha("root")}
        said = {"proposed_by": None, "reason": "first", "from_golden_sha256": None}
        named = {"baseline": "/somewhere/chest", "run_id": run_of(day)}
        aged.entry("approval", {**body, **said, **named}, by="Dr. Okafor")
    aged.prune()
    assert aged.there(first.values()) == [False, False]
    assert aged.there(second.values()) == [True, True]


def test_a_golden_that_cannot_be_read_stops_everything(aged: Aged, tmp_path: Path) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    baseline = judged_by_a_baseline(aged, LAST, tmp_path / "baselines" / "chest")
    (baseline / "golden.json").write_text("{}")
    with refused(IntegrityError, "golden.json"):
        aged.prune(RetentionConfig(keep_runs=1, keep_days=0))
    assert aged.there(old.values()) == [True, True]
