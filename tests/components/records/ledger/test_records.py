from pathlib import Path
from typing import Any

from components.records.ledger.ledger import Entry, Ledger
from components.records.ledger.records import (
    looks_by_name,
    recorded_name,
    releases,
    waivers,
    withdrawn,
)
from tests.components.planting import sha
from tests.components.records.ledger.making import AT, BODIES, PERSON, add


def entries(folder: Path, *added: tuple[str, dict[str, Any]]) -> tuple[Entry, ...]:
    ledger = Ledger(folder / "ledger.jsonl")
    for kind, changed in added:
        add(ledger, kind, **changed)
    return ledger.entries()


def rolled_back(bad: str, good: str) -> tuple[str, dict[str, Any]]:
    return "rollback", {"from_model_sha256": sha(bad), "to_model_sha256": sha(good)}


def test_looks_are_counted_over_all_versions_of_the_name(tmp_path: Path) -> None:
    second = {"case_set_version": 2, "case_set_root": sha("root 2")}
    other = {"case_set": "other", "case_set_root": sha("root 3")}
    found = entries(
        tmp_path, ("look", {}), ("look", {}), ("look", second), ("look", other), ("decision", {})
    )
    assert looks_by_name(found, "planted") == 3
    assert looks_by_name(found, "absent") == 0


def test_a_waiver_comes_with_both_persons_and_all_that_binds_it(tmp_path: Path) -> None:
    (waiver,) = waivers(entries(tmp_path, ("waiver", {}), ("look", {})))
    assert {**vars(waiver)} == {**BODIES["waiver"], "by": PERSON, "at": AT}


def test_a_model_rolled_back_is_withdrawn(tmp_path: Path) -> None:
    (model,) = withdrawn(entries(tmp_path, rolled_back("bad", "good")))
    assert (model.model_sha256, model.by, model.at) == (sha("bad"), PERSON, AT)
    assert model.reason == "complaints from the ward"


def test_a_model_approved_again_is_not_withdrawn(tmp_path: Path) -> None:
    approval = ("approval", {"model_sha256": sha("bad")})
    assert withdrawn(entries(tmp_path, rolled_back("bad", "good"), approval)) == ()
    again = entries(tmp_path, rolled_back("bad", "good"))
    assert [model.model_sha256 for model in withdrawn(again)] == [sha("bad")]


def test_a_rollback_to_a_withdrawn_model_takes_it_up_again(tmp_path: Path) -> None:
    found = entries(tmp_path, rolled_back("bad", "good"), rolled_back("good", "bad"))
    assert [model.model_sha256 for model in withdrawn(found)] == [sha("good")]


def test_releases_are_what_was_put_in_a_destination_rollbacks_included(tmp_path: Path) -> None:
    first, second = releases(entries(tmp_path, ("release", {}), ("look", {}), ("rollback", {})))
    assert (first.version, first.model_sha256, first.restored) == (
        1767261600,
        sha("candidate"),
        None,
    )
    assert (second.version, second.model_sha256, second.restored) == (3, sha("earlier"), 1)
    assert (first.seq, second.seq, second.kind) == (1, 3, "rollback")


def test_a_release_names_its_run_and_its_attestation_where_it_has_them(tmp_path: Path) -> None:
    signed = {"attestation_sha256": sha("attestation")}
    first, second = releases(entries(tmp_path, ("release", signed), ("rollback", {})))
    assert (first.run_id, first.attestation_sha256) == ("run-1", sha("attestation"))
    assert (second.run_id, second.attestation_sha256) == (None, None)


def test_a_folder_elsewhere_is_named_by_its_whole_path(tmp_path: Path) -> None:
    assert recorded_name(tmp_path / "serving" / "chest", tmp_path) == "serving/chest"
    assert recorded_name(Path("/srv/models/chest"), tmp_path) == "/srv/models/chest"
