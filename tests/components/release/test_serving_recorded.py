"""What is served is in the ledger once: after the push, or after the crash that came between."""

from pathlib import Path

import pytest

from components.records.ledger.ledger import Ledger
from components.release.serving import find_champion, record_release
from tests.components.release.test_serving import decide, put


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def release(workspace: Path, version: int, content: str, ledger: Ledger) -> bool:
    destination = workspace / "serving" / "chest"
    if not (destination / str(version)).exists():
        sha256 = put(destination, version, content)
        decide(workspace / "runs", f"run-{version}", sha256)
    champion = find_champion(destination, workspace / "runs")
    assert champion is not None
    return record_release(ledger, champion, workspace=workspace)


def test_a_release_is_written_down_once_however_often_it_is_asked(
    tmp_path: Path, ledger: Ledger
) -> None:
    assert [release(tmp_path, 7, "weights", ledger) for _ in range(3)] == [True, False, False]
    (entry,) = ledger.entries()
    assert (entry.kind, entry.by) == ("release", "casegate")
    assert (entry.body["version"], entry.body["run_id"]) == (7, "run-7")
    assert entry.body["destination"] == "serving/chest"


def test_the_same_model_under_a_new_version_is_a_release_of_its_own(
    tmp_path: Path, ledger: Ledger
) -> None:
    assert release(tmp_path, 7, "weights", ledger) and release(tmp_path, 8, "weights", ledger)
    assert [entry.body["version"] for entry in ledger.entries()] == [7, 8]
