"""What retention removed is known to the questions about lineage."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.lineage.opening import open_store
from components.records.errors import IntegrityError
from components.records.files import write_atomically
from pipeline.evidence.removed import folder_of, removed_folders
from pipeline.evidence.subject import Evidence
from pipeline.evidence.trace.trace import trace_of, trace_sources
from pipeline.evidence.verify.verify import verify
from tests.pipeline.evidence.releasing import VERSION, released
from tests.pipeline.unattended.retention.making import Aged
from tests.refusing import refused

OLD, LAST = "2026-01-01", "2026-06-30"


@pytest.fixture
def pruned(tmp_path: Path) -> Aged:
    made = Aged(tmp_path)
    made.run(OLD)
    made.run(LAST)
    made.prune()
    return made


def test_a_removed_folder_is_named_with_the_entry_of_the_ledger(pruned: Aged) -> None:
    with Evidence(pruned.workspace.root) as evidence:
        found = removed_folders(evidence)
    assert found == {"Trainer/model/2": 3, "TrainingCases/examples/1": 3}


def test_folders_are_known_wherever_the_workspace_is_moved(pruned: Aged, tmp_path: Path) -> None:
    shutil.move(pruned.workspace.root, tmp_path / "moved")
    with Evidence(tmp_path / "moved") as evidence:
        assert "Trainer/model/2" in removed_folders(evidence)
    assert folder_of("/anywhere/else/artifacts/Trainer/model/2") == "Trainer/model/2"
    assert folder_of(None) == ""


@pytest.mark.parametrize("content", [b"{}", None])
def test_a_list_that_was_altered_or_is_gone_is_found(pruned: Aged, content: bytes | None) -> None:
    (path,) = (pruned.workspace.root / "retention").glob("*.json")
    path.unlink() if content is None else write_atomically(path, content)
    with Evidence(pruned.workspace.root) as evidence:
        with refused(IntegrityError, "entry 3 "):
            removed_folders(evidence)
        open_store(evidence.workspace.store)
        answer = verify(evidence, [])
    (row,) = answer.tables[0].rows
    assert row[0] == "ledger" and "entry 3 (retention) " in row[3] and str(path) in row[3]
    assert answer.exit_code == 4


def test_a_trace_says_of_an_artifact_that_retention_removed_it(tmp_path: Path) -> None:
    run = released(tmp_path)
    with Evidence(run.workspace.root) as evidence:
        given = trace_sources(evidence, evidence.subject(str(VERSION)), splits=False)
    folder = folder_of(str(run.workspace.artifacts / "examples"))
    graph = trace_of(replace(given, removed={folder: 12}))
    said = {node.label: node.facts.get("removed") for node in graph.nodes}
    assert said.pop("training and tuning examples") == "by retention, entry 12 of the ledger"
    assert set(said.values()) == {None}
