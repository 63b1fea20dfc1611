import shutil
from pathlib import Path

from components.records.ledger.ledger import Ledger
from pipeline.evidence.subject import Evidence
from pipeline.site.catalogue import NOT_CLOSED, Catalogue, time_of
from tests.pipeline.site.making import BACK, NASTY, RUN, VERSION


def catalogue(root: Path) -> Catalogue:
    return Catalogue(Evidence(root))


def test_runs_are_those_that_can_have_an_address(root: Path) -> None:
    found = catalogue(root).runs
    assert RUN in found and NASTY not in found and "../../../etc/passwd" not in found
    assert found[RUN].state == "released" and found[RUN].verdict == "PASS"
    assert found[RUN].version == str(VERSION)


def test_a_run_that_nobody_closed_says_so(root: Path) -> None:
    assert catalogue(root).runs["20251231T000000.000000Z"].state == NOT_CLOSED


def test_a_folder_that_is_a_link_is_no_run(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    elsewhere = shutil.move(copy / "runs" / RUN, tmp_path / "elsewhere")
    (copy / "runs" / RUN).symlink_to(elsewhere)
    assert RUN not in catalogue(copy).recorded


def test_a_record_that_is_a_link_is_no_record(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    record = copy / "runs" / RUN / "run.json"
    elsewhere = shutil.move(record, tmp_path / "elsewhere.json")
    record.symlink_to(elsewhere)
    assert RUN not in catalogue(copy).recorded


def test_a_version_in_two_destinations_has_a_page_for_each(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    ledger = Ledger(copy / "ledger.jsonl")
    first = next(e for e in ledger.entries() if e.kind == "release")
    body = {**first.body, "destination": "serving/other"}
    second = ledger.append("release", body, by="casegate", at="2026-01-04T00:00:00Z")
    found = catalogue(copy)
    assert list(found.releases) == [f"7-{first.seq}", str(BACK), f"7-{second.seq}"]
    assert found.name_of[second.seq] == f"7-{second.seq}"


def test_before_is_what_the_same_destination_served(root: Path) -> None:
    found = catalogue(root)
    assert found.before(str(VERSION)) is None
    assert found.before(str(BACK)) == str(VERSION)


def test_the_last_word_on_a_destination_is_what_serves(root: Path) -> None:
    found = catalogue(root)
    assert found.serving == {found.releases[str(BACK)].seq}


def test_a_run_id_tells_when_it_started() -> None:
    assert time_of("20261125T045458.659710Z") == "2026-11-25T04:54:58Z"
    assert time_of("run-1") is None
