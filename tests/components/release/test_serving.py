import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.decision import Verdict, load_decision, save_decision
from components.records.errors import IntegrityError
from components.records.files import sha256_tree
from components.records.ledger.ledger import Ledger
from components.records.run_files import DECISION
from components.release.serving import (
    INCOMING,
    discard_incoming,
    find_champion,
    record_release,
    versions,
)
from tests.components.gate.test_decide import judged
from tests.refusing import refused

DECIDED = judged()


def put(destination: Path, version: int | str, content: str = "weights") -> str:
    """A version with one file; returns its hash."""
    folder = destination / str(version) / "variables"
    folder.mkdir(parents=True)
    (folder / "data").write_text(content)
    return sha256_tree(folder.parent)


def decide(runs: Path, run_id: str, candidate: str, verdict: str = "PASS") -> Path:
    """A run's decision on the model with the hash `candidate`."""
    path = runs / run_id / DECISION
    hashes = {**DECIDED.hashes, "candidate": candidate}
    save_decision(replace(DECIDED, hashes=hashes, verdict=Verdict(verdict)), path)
    return path


def test_versions_are_numbers_in_their_order(tmp_path: Path) -> None:
    for name in ("10", "9", "latest", "1.5", "²"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").touch()
    assert versions(tmp_path) == [9, 10]


def test_an_absent_destination_has_no_version(tmp_path: Path) -> None:
    assert versions(tmp_path / "absent") == []
    assert find_champion(tmp_path / "absent", tmp_path) is None


def test_the_highest_version_is_the_champion(tmp_path: Path) -> None:
    put(tmp_path / "serving", 9, "old")
    sha256 = put(tmp_path / "serving", 10, "new")
    decision = decide(tmp_path / "runs", "run-2", sha256)
    champion = find_champion(tmp_path / "serving", tmp_path / "runs")
    assert champion is not None and champion.version == 10
    assert (champion.sha256, champion.decision) == (sha256, decision)
    assert champion.path == tmp_path / "serving" / "10"


def test_a_decision_on_score_files_vouches_for_no_model(tmp_path: Path) -> None:
    sha256 = put(tmp_path / "serving", 1)
    path = decide(tmp_path / "runs", "run-1", sha256)
    checks = tuple(check for check in DECIDED.checks if check.check != "evaluator")
    save_decision(replace(load_decision(path), checks=checks), path)
    with refused(IntegrityError, tmp_path / "serving" / "1"):
        find_champion(tmp_path / "serving", tmp_path / "runs")


def test_the_last_decision_that_let_it_pass_is_named(tmp_path: Path) -> None:
    sha256 = put(tmp_path / "serving", 1)
    decide(tmp_path / "runs", "run-1", sha256)
    last = decide(tmp_path / "runs", "run-2", sha256)
    decide(tmp_path / "runs", "run-3", sha256, "FAIL")
    champion = find_champion(tmp_path / "serving", tmp_path / "runs")
    assert champion is not None and champion.decision == last


@pytest.mark.parametrize("verdict", ["FAIL", "INCONCLUSIVE"])
def test_a_model_that_did_not_pass_is_no_champion(tmp_path: Path, verdict: str) -> None:
    decide(tmp_path / "runs", "run-1", put(tmp_path / "serving", 1), verdict)
    with refused(IntegrityError, tmp_path / "serving" / "1"):
        find_champion(tmp_path / "serving", tmp_path / "runs")


def test_an_edited_decision_vouches_for_no_model(tmp_path: Path) -> None:
    failed = decide(tmp_path / "runs", "run-1", put(tmp_path / "serving", 1), "FAIL")
    failed.write_text(failed.read_text().replace('"verdict": "FAIL"', '"verdict": "PASS"'))
    with refused(IntegrityError, failed):
        find_champion(tmp_path / "serving", tmp_path / "runs")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda version: (version / "variables" / "data").write_text("other"),
        lambda version: (version / "variables" / "data").rename(version / "data"),
        lambda version: (version / "saved_model.pb").touch(),
        lambda version: shutil.rmtree(version / "variables"),
        lambda version: put(version.parent, version.name + "0", "by hand"),
    ],
)
def test_a_release_that_was_touched_is_an_integrity_error(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    decide(tmp_path / "runs", "run-1", put(tmp_path / "serving", 1))
    spoil(tmp_path / "serving" / "1")
    with pytest.raises(IntegrityError):
        find_champion(tmp_path / "serving", tmp_path / "runs")


def test_an_older_version_by_hand_beside_a_good_one_is_not_served(tmp_path: Path) -> None:
    put(tmp_path / "serving", 1, "by hand")
    decide(tmp_path / "runs", "run-1", put(tmp_path / "serving", 2))
    champion = find_champion(tmp_path / "serving", tmp_path / "runs")
    assert champion is not None and champion.version == 2


def test_what_an_interrupted_push_left_goes_and_releases_stay(tmp_path: Path) -> None:
    destination = tmp_path / "serving" / "chest"
    put(destination, 1)
    put(tmp_path / "serving" / INCOMING / "chest", 2)
    discard_incoming(destination)
    assert versions(destination) == [1] and not (tmp_path / "serving" / INCOMING).exists()
    put(tmp_path / "serving" / INCOMING / "another", 2)
    discard_incoming(destination)
    assert versions(tmp_path / "serving" / INCOMING / "another") == [2]


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
