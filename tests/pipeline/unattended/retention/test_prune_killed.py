"""Killed at any moment, a prune leaves what fits, and the next one ends it."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError
from pipeline.evidence.subject import Evidence
from tests.dying import killed_before_each_change
from tests.pipeline.unattended.retention.making import Aged
from tests.refusing import refused

OLD, LAST = "2026-01-01", "2026-06-30"


def make(aged: Aged) -> None:
    shutil.rmtree(aged.workspace.root, ignore_errors=True)
    aged.__init__(aged.workspace.root.parent)  # type: ignore[misc]
    aged.run(OLD)
    aged.run(LAST)


def listed(aged: Aged) -> list[str]:
    """Every path that a list of the ledger's names."""
    entries = [e for e in aged.ledger.entries() if e.kind == "retention"]
    lists = [json.loads((aged.workspace.root / e.body["list"]).read_bytes()) for e in entries]
    return sorted(row["path"] for found in lists for row in found["removed"])


@pytest.mark.process
def test_killed_before_any_change_the_next_prune_ends_it(aged: Aged) -> None:
    old = [f"artifacts/{name}" for name in ("Trainer/model/2", "TrainingCases/examples/1")]
    deaths = 0
    for _ in killed_before_each_change(lambda: make(aged), aged.prune):
        deaths += 1
        gone = [name for name in old if not (aged.workspace.root / name).exists()]
        aside = {p.relative_to(t) for t in trashes(aged) for p in t.rglob("data")}
        lost = [name for name in gone if Path(name) / "data" not in aside]
        assert set(lost) <= set(listed(aged)), "deleted before the ledger named it"
        aged.prune()
        assert listed(aged) == old
        assert not list(trashes(aged))
    assert deaths > 15


def trashes(aged: Aged) -> list[Path]:
    return sorted((aged.workspace.root / "retention" / ".trash").glob("*"))


def cut_short(aged: Aged, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """A prune that ends after so many folders were put aside."""
    import pipeline.unattended.retention.prune as removal

    put_aside, left = removal._put_aside, after

    def failing(*arguments) -> None:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        put_aside(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(removal, "_put_aside", failing)
        with refused(ConfigError, "No space left"):
            aged.prune()


def test_what_a_run_needs_since_a_prune_was_cut_short_stays(aged: Aged, monkeypatch) -> None:
    old = aged.run(OLD)
    aged.run("2026-06-29")
    cut_short(aged, monkeypatch, after=1)  # Trainer/model is aside, the examples are not yet
    aged.run(LAST, cached={"TrainingCases/examples": old["TrainingCases/examples"]})
    aged.prune()
    assert aged.there(old.values()) == [True, False]
    assert listed(aged) == [f"artifacts/{old['Trainer/model']}"]


def test_a_list_of_which_nothing_was_put_aside_is_forgotten(aged: Aged, monkeypatch) -> None:
    make(aged)
    cut_short(aged, monkeypatch, after=0)
    aged.prune()
    (path,) = (aged.workspace.root / "retention").glob("*.json")
    with Evidence(aged.workspace.root) as evidence:
        (entry,) = [e for e in evidence.entries if e.kind == "retention"]
    assert entry.body["list"] == f"retention/{path.name}"


def test_what_was_put_aside_without_a_list_is_not_deleted(aged: Aged) -> None:
    make(aged)
    aside = aged.workspace.root / "retention" / ".trash" / "unlisted"
    aside.mkdir(parents=True)
    with refused(IntegrityError, "no list says"):
        aged.prune()
    assert aside.exists()


def test_a_list_that_cannot_be_read_is_refused(aged: Aged) -> None:
    make(aged)
    path = aged.workspace.root / "retention" / "20260101T000000.000000Z.json"
    path.parent.mkdir()
    path.write_text('{"removed": [{"path": 1}]}')
    with refused(IntegrityError, "is no list"):
        aged.prune()
