"""Changes of data, commits and settings, each against what was planted."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.lineage.training import write_manifest
from pipeline.lineage import commits_between as module
from pipeline.lineage.commits_between import commits_between
from pipeline.lineage.subject import Evidence
from pipeline.lineage.training_changes import training_changes
from pipeline.workspace import Workspace
from tests.components.lineage.test_record import record
from tests.pipeline.lineage.releasing import training


def test_added_removed_and_changed_cases_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before = [training(i) for i in range(5)]
    after = [*before[1:4], replace(before[4], split="train", label=1), training(7)]
    runs = []
    for rows in (before, after):
        root = write_manifest(rows, workspace.training).root
        made = record()
        runs.append(replace(made, inputs=replace(made.inputs, training_root=root)))
    table, notes = training_changes(Evidence(tmp_path), *runs)
    found = {row[0]: row[1:] for row in table.rows}
    assert found["train-0"][0] == "removed" and found["train-7"][0] == "added"
    assert found["train-4"] == (
        "changed",
        "split=tune, label=negative",
        "split=train, label=positive",
    )
    assert notes == ("Training and tuning cases: 1 added, 1 removed, 1 changed.",)


def test_the_same_data_are_said_to_be_the_same(tmp_path: Path) -> None:
    made = record()
    one = replace(made, inputs=replace(made.inputs, training_root="a" * 64, training_cases=5))
    table, notes = training_changes(Evidence(tmp_path), one, one)
    assert table.rows == () and "the same 5 cases" in notes[0]


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
    count, table = commits_between(checkout[0], checkout[2])
    assert count == 2
    assert [row[3] for row in table.rows] == ["third", "second; rm -rf /"]
    assert commits_between(checkout[0], checkout[0])[0] == 0


@pytest.mark.parametrize("missing", [None, "f" * 40])
def test_a_commit_that_is_not_here_is_not_known(checkout: list[str], missing: str | None) -> None:
    count, table = commits_between(missing, checkout[2])
    assert str(count).startswith("not known") and table.rows == ()
