import shutil
from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from components.records.run_files import DECISION
from pipeline.governance.ledger_check import verify_ledger
from tests.components.gate.test_decide import judged
from tests.components.release.test_serving import decide, put
from tests.pipeline.governing import Governed
from tests.refusing import refused


@pytest.fixture
def governed(tmp_path: Path) -> Governed:
    """Two releases, each a decision and a release in the ledger."""
    made = Governed(tmp_path)
    for version in (10, 20):
        made.released(version)
    return made


def test_all_is_well_and_counted(governed: Governed) -> None:
    found = verify_ledger(governed.root)
    assert (len(found.content.entries), found.decisions, found.versions) == (4, 2, 2)
    assert (found.unrecorded, found.older) == ((), 0)
    assert found.content.entries[-1].kind == "release"


def test_a_workspace_without_a_ledger_has_nothing_to_check(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    put(governed.destination, 1)
    found = verify_ledger(governed.root)
    assert found.content.entries == () and found.versions == 0


def test_another_decision_in_the_place_of_the_recorded_one_is_found(governed: Governed) -> None:
    path = governed.workspace.run_folder("run-10") / DECISION
    path.write_text(judged(run_id="run-10", findings=("other",)).to_json())
    with refused(IntegrityError, "entry 1 (decision) ", " is decision "):
        verify_ledger(governed.root)


def test_an_edited_decision_is_found(governed: Governed) -> None:
    path = governed.workspace.run_folder("run-20") / DECISION
    path.write_text(path.read_text().replace('"exit_code": 0', '"exit_code": 3'))
    with refused(IntegrityError, "entry 3 (decision) ", "decision.json"):
        verify_ledger(governed.root)


def test_only_the_decisions_of_named_runs_are_read_where_some_are_named(governed: Governed) -> None:
    path = governed.workspace.run_folder("run-20") / DECISION
    path.write_text(path.read_text().replace('"exit_code": 0', '"exit_code": 3'))
    verify_ledger(governed.root, runs=["run-10"])
    with refused(IntegrityError, "entry 3 (decision) ", "decision.json"):
        verify_ledger(governed.root, runs=["run-20"])


def test_a_release_that_names_another_decision_than_its_run_came_to_is_found(
    governed: Governed,
) -> None:
    body = {**governed.ledger.entries()[3].body, "decision_sha256": "0" * 64}
    governed.ledger.append("release", body, by="casegate", at="2026-01-01T00:00:00Z")
    with refused(IntegrityError, "entry 5 (release) ", " is decision "):
        verify_ledger(governed.root)


def test_a_decision_that_is_gone_is_missed(governed: Governed) -> None:
    shutil.rmtree(governed.workspace.run_folder("run-10"))
    with refused(IntegrityError, "entry 1 (decision) ", "No such file"):
        verify_ledger(governed.root)


def test_a_decision_that_nobody_recorded_is_named(governed: Governed) -> None:
    decide(governed.workspace.runs, "run-30", "0" * 64)
    assert verify_ledger(governed.root).unrecorded == ("run-30",)


@pytest.mark.parametrize("version", [15, 30])
def test_a_version_put_there_by_hand_is_found(governed: Governed, version: int) -> None:
    put(governed.destination, version, "by hand")
    with refused(IntegrityError, f"{version}: "):
        verify_ledger(governed.root)


def test_versions_from_before_the_ledger_are_counted_apart(governed: Governed) -> None:
    put(governed.destination, 9, "old")
    assert verify_ledger(governed.root).older == 1


@pytest.mark.parametrize("version, seq", [(10, 2), (20, 4)])
def test_an_altered_version_is_found(governed: Governed, version: int, seq: int) -> None:
    (governed.destination / str(version) / "variables" / "data").write_text("other")
    with refused(IntegrityError, f"entry {seq} (release) "):
        verify_ledger(governed.root)


def test_a_champion_that_was_removed_is_missed(governed: Governed) -> None:
    shutil.rmtree(governed.destination / "20")
    with refused(IntegrityError, "version 10", "version 20"):
        verify_ledger(governed.root)
    shutil.rmtree(governed.destination)
    with refused(IntegrityError, "serves nothing"):
        verify_ledger(governed.root)


def test_an_older_version_may_be_cleared_away(governed: Governed) -> None:
    shutil.rmtree(governed.destination / "10")
    assert verify_ledger(governed.root).versions == 1


def test_a_hash_noted_elsewhere_shows_a_ledger_written_anew(governed: Governed) -> None:
    noted = governed.ledger.head().sha256
    assert verify_ledger(governed.root, holds=noted).content.last.sha256 == noted
    assert verify_ledger(governed.root, holds=noted[:12].upper())
    governed.workspace.ledger.unlink()
    governed.ledger.chain.head_path.unlink()
    for folder in governed.workspace.runs.iterdir():
        shutil.rmtree(folder)
    shutil.rmtree(governed.destination)
    governed.released(20)
    verify_ledger(governed.root)
    with refused(IntegrityError, noted[:12]):
        verify_ledger(governed.root, holds=noted)
    with refused(ConfigError, "at least 8 digits"):
        verify_ledger(governed.root, holds="abc")


# Files that entries name


def drifted(governed: Governed) -> Path:
    """A look at what is served that found a shift, on record with its report."""
    report = governed.root / "monitoring" / "look" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text('{"state": "moved"}')
    body = {
        "report": "monitoring/look/report.json",
        "report_sha256": sha256_file(report),
        "first": "2026-01-05T00:00:00Z",
        "last": "2026-01-11T00:00:00Z",
        "cases": 400,
        "moved": ["device"],
        "retraining": False,
    }
    Ledger(governed.workspace.ledger).append(
        "drift", body, by="casegate", at="2026-01-12T00:00:00Z"
    )
    return report


def test_a_drift_report_that_is_as_recorded_is_well(governed: Governed) -> None:
    drifted(governed)
    assert len(verify_ledger(governed.root).content.entries) == 5


def test_an_edited_drift_report_is_found(governed: Governed) -> None:
    drifted(governed).write_text('{"state": "steady"}')
    with refused(IntegrityError, "entry 5 (drift) ", "report.json", " hashes to "):
        verify_ledger(governed.root)


def test_a_drift_report_that_is_gone_is_missed(governed: Governed) -> None:
    drifted(governed).unlink()
    with refused(IntegrityError, "entry 5 (drift) ", "No such file"):
        verify_ledger(governed.root)
