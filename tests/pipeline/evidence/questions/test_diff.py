"""Changes of data, commits and settings, each against what was planted."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.gate.rules import judged_part
from components.lineage.record import RunRecord
from components.lineage.training import manifest_path, write_manifest
from components.metrics import METRICS
from components.records.errors import IntegrityError
from pipeline.evidence.judged import CANDIDATE, judged
from pipeline.evidence.questions import diff as module
from pipeline.evidence.questions.diff import (
    commits_between,
    compare_figures,
    compare_settings,
    diff,
    training_changes,
)
from pipeline.evidence.questions.performance import interval, performance
from pipeline.evidence.subject import Evidence
from pipeline.settings.workspace import Workspace
from tests.components.lineage.test_record import record
from tests.pipeline.evidence.releasing import RUN, VERSION, ReleasedRun, released, training
from tests.refusing import refused


def test_added_removed_and_changed_cases_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before = [training(i) for i in range(5)]
    after = [*before[1:4], replace(before[4], split="train", label=1), training(7)]
    runs = []
    for rows in (before, after):
        root = write_manifest(rows, workspace.training).root
        made = record()
        runs.append(replace(made, inputs=replace(made.inputs, training_root=root)))
    note, differences, table = training_changes(Evidence(tmp_path), *runs)
    found = {row[0]: row[1:] for row in table.rows}
    assert found["train-0"][0] == "removed" and found["train-7"][0] == "added"
    assert found["train-4"] == (
        "changed",
        "split=tune, label=negative",
        "split=train, label=positive",
    )
    assert note == "Training and tuning cases: 1 added, 1 removed, 1 changed."
    assert differences == 3


def test_the_same_data_are_said_to_be_the_same(tmp_path: Path) -> None:
    made = record()
    one = replace(made, inputs=replace(made.inputs, training_root="a" * 64, training_cases=5))
    note, differences, table = training_changes(Evidence(tmp_path), one, one)
    assert table.rows == () and "the same 5 cases" in note
    assert differences == 0


def test_a_run_that_read_no_data_differs_in_a_number_not_known(tmp_path: Path) -> None:
    made = record()
    none = replace(made, inputs=replace(made.inputs, training_root=None))
    note, differences, table = training_changes(Evidence(tmp_path), none, made)
    assert differences is None and "not compared" in note


def test_cases_beyond_the_list_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evidence.questions.diff.MOST_CASES", 2)
    note, differences, table = training_changes(Evidence(tmp_path), *_two(Workspace(tmp_path)))
    assert len(table.rows) == 2 and differences == 5
    assert "the first 2 are listed" in note


def test_an_altered_manifest_is_not_compared(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    runs = _two(workspace)
    path = manifest_path(workspace.training, str(runs[1].inputs.training_root))
    path.write_bytes(path.read_bytes().replace(b"Boreal", b"Cirrus"))
    with refused(IntegrityError, path, "Merkle root"):
        training_changes(Evidence(tmp_path), *runs)


def _two(workspace: Workspace) -> list[RunRecord]:
    """Two runs with five cases between them that only one has."""
    runs = []
    for rows in ([training(i) for i in range(4)], [training(i) for i in range(2, 7)]):
        root, made = write_manifest(rows, workspace.training).root, record()
        runs.append(replace(made, inputs=replace(made.inputs, training_root=root)))
    return runs


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commits of a repository, oldest first."""
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)

    def git(*words: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    made = []
    for subject in ("first", "second; rm -rf /", "third"):
        git("commit", "-q", "--allow-empty", "-m", subject)
        made.append(git("rev-parse", "HEAD"))
    return made


def test_commits_between_two_are_counted_and_listed(checkout: list[str]) -> None:
    count, files, table = commits_between(checkout[0], checkout[2])
    assert count == 2 and files == 0
    assert [row[3] for row in table.rows] == ["third", "second; rm -rf /"]
    assert {row[4] for row in table.rows} == {"second"}
    assert commits_between(checkout[0], checkout[0])[0] == 0


def test_going_back_is_not_called_no_change(checkout: list[str]) -> None:
    count, files, table = commits_between(checkout[2], checkout[0])
    assert str(count).startswith("2,") and "older" in str(count)
    assert {row[4] for row in table.rows} == {"first"}


def test_commits_beyond_the_list_are_counted(
    checkout: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COMMITS", 1)
    count, files, table = commits_between(checkout[0], checkout[2])
    assert count == 2 and len(table.rows) == 1


@pytest.mark.parametrize("missing", [None, "f" * 40])
def test_a_commit_that_is_not_here_is_not_known(checkout: list[str], missing: str | None) -> None:
    count, files, table = commits_between(missing, checkout[2])
    assert str(count).startswith("not known") and files is None
    assert table.rows == ()


@pytest.fixture
def run(tmp_path: Path) -> ReleasedRun:
    return released(tmp_path, wrong=(1, 5))


def test_a_policy_that_was_never_read_is_not_compared(run: ReleasedRun) -> None:
    stopped = replace(run.record, inputs=replace(run.record.inputs, policy_sha256=None))
    with Evidence(run.workspace.root) as evidence:
        tables, missing = compare_settings(evidence, run.record, stopped)
    assert "stopped before it had read one" in missing["policy"]
    assert {t.name: t.rows for t in tables}["policy"] == ()


def test_a_policy_whose_text_is_kept_no_more_is_said_so(run: ReleasedRun) -> None:
    other = replace(run.record, inputs=replace(run.record.inputs, policy_sha256="f" * 64))
    with Evidence(run.workspace.root) as evidence:
        _, missing = compare_settings(evidence, run.record, other)
    assert "whose text is kept no more" in missing["policy"]


def test_an_edited_configuration_is_not_compared(run: ReleasedRun) -> None:
    (run.workspace.run_folder(RUN) / "config.json").write_text('{"owner": "Nobody"}')
    with Evidence(run.workspace.root) as evidence, refused(IntegrityError, "config.json"):
        compare_settings(evidence, run.record, run.record)


def test_who_approved_is_said_of_both_sides(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        facts = diff(evidence, evidence.subject(RUN), evidence.subject(str(VERSION))).facts
    for side in ("first", "second"):
        assert facts[f"approved, {side}: golden"] == "A. Radiologist"
        assert facts[f"approved, {side}: signed statement on the release"] == "unsigned"


def test_patients_are_aggregated_as_the_gate_does(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        other = judged(evidence, evidence.subject(RUN))
    other.cases.patients[:] = np.arange(len(other.cases.ids)) // 2
    other = replace(other, policy=replace(other.policy, patients="aggregated"))
    golden = replace(other, scores={CANDIDATE: other.scores["champion"]})
    golden = replace(golden, outputs={CANDIDATE: other.outputs["champion"]})
    (_, metrics, _), _ = compare_figures(golden, other)
    (row,) = [r for r in metrics.rows if r[0] == "sensitivity"]
    ours, theirs = (
        judged_part(other.policy, other.cases, outputs, other.cases.mask({}))
        for outputs in (other.outputs[CANDIDATE], other.outputs["champion"])
    )
    wanted = METRICS["sensitivity"].change(ours, theirs, alpha=0.025, method="tango")
    assert row[7:] == (wanted.estimate, wanted.lower, wanted.upper)
    images = METRICS["sensitivity"].change(
        other.outputs[CANDIDATE], other.outputs["champion"], alpha=0.025, method="tango"
    )
    assert row[8] != images.lower  # or the test could not tell the two apart


def test_the_check_s_own_interval_is_the_one_that_is_shown(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        policy = judged(evidence, evidence.subject(RUN)).policy
    checks = (replace(policy.checks[0], method="wilson", alpha=0.05),)
    policy = replace(policy, checks=checks)
    assert interval(policy, "sensitivity", {})[::2] == ("wilson", 0.05)
    assert interval(policy, "sensitivity", {"device": "A"})[::2] == ("clopper_pearson", 0.025)


def test_the_baseline_s_own_file_stands_in_for_a_copy_that_is_gone(run: ReleasedRun) -> None:
    (copy,) = (run.workspace.root / "inputs").glob("case_set-*")
    copy.unlink()
    with Evidence(run.workspace.root) as evidence:
        assert performance(evidence, evidence.subject(RUN)).facts["cases"] == 80
        own = run.workspace.baselines / "planted" / "case_set.json"
        own.write_bytes(own.read_bytes() + b"\n")
        with refused(IntegrityError, "case_set", "is gone"):
            performance(evidence, evidence.subject(RUN))
