"""Changes of data, commits and settings, each against what was planted."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.lineage.record import RunRecord
from components.lineage.training import manifest_path, write_manifest
from components.records.errors import IntegrityError
from pipeline.evidence.questions import diff as module
from pipeline.evidence.questions.diff import commits_between, training_changes
from pipeline.evidence.subject import Evidence
from pipeline.settings.workspace import Workspace
from tests.components.lineage.test_record import record
from tests.pipeline.evidence.releasing import training


def test_added_removed_and_changed_cases_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before = [training(i) for i in range(5)]
    after = [*before[1:4], replace(before[4], split="train", label=1), training(7)]
    runs = []
    for rows in (before, after):
        root = write_manifest(rows, workspace.training).root
        made = record()
        runs.append(replace(made, inputs=replace(made.inputs, training_root=root)))
    changes = training_changes(Evidence(tmp_path), *runs)
    found = {row[0]: row[1:] for row in changes.table.rows}
    assert found["train-0"][0] == "removed" and found["train-7"][0] == "added"
    assert found["train-4"] == (
        "changed",
        "split=tune, label=negative",
        "split=train, label=positive",
    )
    assert changes.note == "Training and tuning cases: 1 added, 1 removed, 1 changed."
    assert changes.differences == 3


def test_the_same_data_are_said_to_be_the_same(tmp_path: Path) -> None:
    made = record()
    one = replace(made, inputs=replace(made.inputs, training_root="a" * 64, training_cases=5))
    changes = training_changes(Evidence(tmp_path), one, one)
    assert changes.table.rows == () and "the same 5 cases" in changes.note
    assert changes.differences == 0


def test_a_run_that_read_no_data_differs_in_a_number_not_known(tmp_path: Path) -> None:
    made = record()
    none = replace(made, inputs=replace(made.inputs, training_root=None))
    changes = training_changes(Evidence(tmp_path), none, made)
    assert changes.differences is None and "not compared" in changes.note


def test_cases_beyond_the_list_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evidence.questions.diff.MOST_CASES", 2)
    changes = training_changes(Evidence(tmp_path), *_two(Workspace(tmp_path)))
    assert len(changes.table.rows) == 2 and changes.differences == 5
    assert "the first 2 are listed" in changes.note


def test_an_altered_manifest_is_not_compared(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    runs = _two(workspace)
    path = manifest_path(workspace.training, str(runs[1].inputs.training_root))
    path.write_bytes(path.read_bytes().replace(b"Boreal", b"Cirrus"))
    with pytest.raises(IntegrityError, match="altered"):
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
    found = commits_between(checkout[0], checkout[2])
    assert found.count == 2 and found.files == 0
    assert [row[3] for row in found.table.rows] == ["third", "second; rm -rf /"]
    assert {row[4] for row in found.table.rows} == {"second"}
    assert commits_between(checkout[0], checkout[0]).count == 0


def test_going_back_is_not_called_no_change(checkout: list[str]) -> None:
    found = commits_between(checkout[2], checkout[0])
    assert str(found.count).startswith("2,") and "older" in str(found.count)
    assert {row[4] for row in found.table.rows} == {"first"}


def test_commits_beyond_the_list_are_counted(
    checkout: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COMMITS", 1)
    found = commits_between(checkout[0], checkout[2])
    assert found.count == 2 and len(found.table.rows) == 1


@pytest.mark.parametrize("missing", [None, "f" * 40])
def test_a_commit_that_is_not_here_is_not_known(checkout: list[str], missing: str | None) -> None:
    found = commits_between(missing, checkout[2])
    assert str(found.count).startswith("not known") and found.files is None
    assert found.table.rows == ()
