"""What is removed, how it is recorded, and what is refused."""

import hashlib
import json
import os

import pytest

from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.files import sha256_tree, write_atomically
from components.records.run_files import LINEAGE
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retention.prune import Pruned, as_text, prune, size
from tests.pipeline.unattended.retention.making import NOW, STRICT, Aged, run_of
from tests.refusing import refused

OLD, LAST = "2026-01-01", "2026-06-30"
EARLIER = NOW.timestamp() - 31 * 86400


def test_the_list_says_what_went_and_the_ledger_names_the_list(aged: Aged) -> None:
    model = aged.run(OLD)["Trainer/model"]
    aged.run(LAST)
    sha256 = sha256_tree(aged.workspace.artifacts / model)
    found = aged.prune()
    entry = aged.ledger.entries()[-1]
    content = (aged.workspace.root / entry.body["list"]).read_bytes()
    assert (entry.kind, entry.seq, entry.body["files"]) == ("retention", found.entry, 2)
    assert entry.body["list_sha256"] == hashlib.sha256(content).hexdigest()
    assert entry.body["runs"] == [run_of(OLD)] and entry.body["bytes"] == found.bytes > 0
    rows = {row["path"]: row for row in json.loads(content)["removed"]}
    assert rows[f"artifacts/{model}"]["sha256"] == sha256
    assert not list((aged.workspace.root / "retention/.trash").iterdir())


def test_a_dry_run_says_the_same_and_touches_nothing(aged: Aged) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    before = sorted(aged.workspace.root.rglob("*"))
    told = aged.prune(dry_run=True)
    assert sorted(aged.workspace.root.rglob("*")) == before
    assert aged.there(old.values()) == [True, True] and told.entry is None
    done = aged.prune()
    assert [one.path for one in told.removed] == [one.path for one in done.removed]
    assert told.bytes == done.bytes


def test_with_nothing_to_remove_nothing_is_recorded(aged: Aged) -> None:
    aged.run(LAST)
    entries = len(aged.ledger.entries())
    assert aged.prune().removed == ()
    assert len(aged.ledger.entries()) == entries


def test_records_inputs_and_training_manifests_stay(aged: Aged) -> None:
    aged.run(OLD)
    aged.run(LAST)
    for name in ("inputs/policy-1.yaml", "training/1.jsonl", "baselines/own/policy.yaml"):
        write_atomically(aged.workspace.root / name, b"kept")
    before = {p for p in aged.workspace.root.rglob("*") if "artifacts" not in p.parts}
    aged.prune()
    assert before <= set(aged.workspace.root.rglob("*"))


def test_what_a_killed_execution_left_unregistered_goes_with_its_run(aged: Aged) -> None:
    aged.run(OLD)
    aged.run(LAST)
    left = "Trainer/model_run/2"  # its execution is known, as the Trainer's of the old run
    write_atomically(aged.workspace.artifacts / left / "checkpoint", b"half")
    found = aged.prune()
    assert f"artifacts/{left}" in [one.path for one in found.removed]


def test_a_folder_that_no_record_knows_stays_and_is_named(aged: Aged) -> None:
    aged.run(LAST)
    write_atomically(aged.workspace.artifacts / "Trainer/model/99/data", b"whose?")
    assert aged.prune().unknown == ("artifacts/Trainer/model/99",)
    assert aged.there(["Trainer/model/99"]) == [True]


@pytest.mark.parametrize(
    "name",
    [
        "artifacts/.temp/12",
        "artifacts/Trainer/.system/executor_execution/12",
        "artifacts/Trainer/.system/stateful_working_dir/3dc4",
        "runs/20260101T000000/board",
        "retraining/20260101T000000.log",
        "retraining/20260101T000000/run.log",
    ],
)
def test_leftovers_and_logs_go_when_they_are_old(aged: Aged, name: str) -> None:
    aged.run(LAST)
    path = aged.workspace.root / name
    written = path if path.suffix == ".log" else path / "part"
    write_atomically(written, b"left over")
    assert aged.prune().removed == ()
    os.utime(path, (EARLIER, EARLIER))
    assert [one.path for one in aged.prune().removed] == [name]
    assert not path.exists()


def test_other_files_of_retrainings_stay(aged: Aged) -> None:
    aged.run(LAST)
    state = aged.workspace.root / "retraining/state.json"
    write_atomically(state, b"{}")
    os.utime(state, (EARLIER, EARLIER))
    aged.prune()
    assert state.exists()


def test_a_link_is_neither_followed_nor_removed(aged: Aged, tmp_path) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    outside = tmp_path / "outside"
    write_atomically(outside / "precious", b"not of this workspace")
    (aged.workspace.artifacts / old["Trainer/model"] / "link").symlink_to(outside)
    found = aged.prune()
    assert found.unknown == (f"artifacts/{old['Trainer/model']}",)
    assert (outside / "precious").exists()


def test_a_folder_behind_a_link_is_not_looked_at(aged: Aged, tmp_path) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    trainer = aged.workspace.artifacts / "Trainer"
    trainer.rename(tmp_path / "elsewhere")
    trainer.symlink_to(tmp_path / "elsewhere")
    aged.prune()
    assert aged.there(old.values()) == [False, True]


def test_leftovers_behind_a_link_stay(aged: Aged, tmp_path) -> None:
    aged.run(LAST)
    left = tmp_path / "elsewhere" / "executor_execution" / "12"
    write_atomically(left / "part", b"not of this workspace")
    os.utime(left, (EARLIER, EARLIER))
    (aged.workspace.artifacts / "Trainer/.system").symlink_to(tmp_path / "elsewhere")
    assert aged.prune().removed == () and (left / "part").exists()


def test_artifacts_behind_a_link_are_refused(aged: Aged, tmp_path) -> None:
    aged.run(OLD)
    aged.workspace.artifacts.rename(tmp_path / "big disk")
    aged.workspace.artifacts.symlink_to(tmp_path / "big disk")
    with refused(IntegrityError, "workspace/artifacts: is a link"):
        aged.prune()


def test_a_workspace_in_use_is_refused(aged: Aged) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    with (
        aged.workspace.opened(),
        refused(WorkspaceBusy, aged.workspace.root, f"process {os.getpid()} "),
    ):
        aged.prune()
    assert aged.there(old.values()) == [True, True]


def test_a_folder_in_which_nothing_ran_is_refused_and_left_alone(tmp_path) -> None:
    with refused(ConfigError, tmp_path):
        prune(STRICT, Workspace(tmp_path), now=NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [LINEAGE, "run.json"])
def test_a_record_that_was_altered_stops_everything(aged: Aged, name: str) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    path = aged.workspace.run_folder(run_of(LAST)) / name
    path.write_bytes(path.read_bytes().replace(b"Trainer", b"Drainer").replace(b"ada", b"eve"))
    with pytest.raises(IntegrityError):
        aged.prune()
    assert aged.there(old.values()) == [True, True]


@pytest.mark.parametrize("name", [LINEAGE, "run.json"])
def test_a_record_that_is_gone_stops_everything(aged: Aged, name: str) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    (aged.workspace.run_folder(run_of(OLD)) / name).unlink()
    with pytest.raises(IntegrityError):
        aged.prune()
    assert aged.there(old.values()) == [True, True]


def test_a_relative_workspace_is_pruned_too(aged: Aged, monkeypatch) -> None:
    old = aged.run(OLD)
    aged.run(LAST)
    monkeypatch.chdir(aged.workspace.root.parent)
    prune(STRICT, Workspace(aged.workspace.root.relative_to(aged.workspace.root.parent)), now=NOW)
    assert aged.there(old.values()) == [False, False]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (12_340_000_000, "12.3 GB"),
        (5_000_000_000_000_000, "5e+03 TB"),
    ],
)
def test_sizes_have_three_digits(count: int, words: str) -> None:
    assert size(count) == words


def test_names_cannot_smuggle_control_characters_into_a_terminal() -> None:
    found = Pruned((), {}, ("artifacts/Trainer/model/\x1b[31m",), dry_run=False)
    *_, line = as_text(found).splitlines()
    assert "\x1b" not in line and line.startswith("stays: artifacts/Trainer/model/")
