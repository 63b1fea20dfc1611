import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import save_case_set
from components.baselines.golden import Rescoring, load_golden, save_golden
from components.records.errors import ConfigError, IntegrityError
from components.records.run_files import REQUEST
from pipeline.governance.approval import approve_golden, propose_golden
from pipeline.governance.golden_record import (
    HISTORY,
    GoldenRecord,
    find_baseline,
    golden_record,
    shares_right,
)
from tests.components.gate.test_decide import CASES
from tests.components.planting import locked, scored, sha
from tests.pipeline.governing import AT, PERSON, Governed
from tests.refusing import refused


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Governed:
    """Golden moved twice after its bootstrap."""
    made = Governed(tmp_path_factory.mktemp("template"))
    made.first()
    made.approved("run-2")
    made.approved("run-3")
    return made


@pytest.fixture
def governed(template: Governed, tmp_path: Path) -> Governed:
    return template.copied(tmp_path)


def record(governed: Governed, given: Path | None = None) -> GoldenRecord:
    return golden_record(governed.workspace, find_baseline(governed.workspace, given))


def faults(governed: Governed) -> tuple[str, ...]:
    return tuple(record(governed).faults())


def test_right_calls_are_counted_by_label() -> None:
    shares = shares_right(scored(CASES, wrong=[0, 1, 399]), CASES)
    assert shares == ("0.9900 (198 of 200)", "0.9950 (199 of 200)")


def test_scores_of_another_case_set_have_no_share() -> None:
    assert shares_right(scored(locked(3, 3)), CASES) is None


def test_golden_is_shown_with_what_waits_for_approval(governed: Governed) -> None:
    governed.run("run-4")
    propose_golden(governed.root, run_id="run-4", by="B. Statistician")
    shown = record(governed)
    assert shown.golden is not None and shown.golden.scores.model_sha256 == sha("run-3")
    assert shown.proposal is not None and shown.proposal.scores.model_sha256 == sha("run-4")
    assert (shown.baseline, shown.unfinished) == (governed.baseline, None)


def test_a_baseline_without_golden_is_shown_too(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    shown = record(governed, governed.baseline)
    assert shown.golden is None and shown.proposal is None
    with refused(ConfigError, "--baseline"):
        record(governed)
    with refused(ConfigError, "no case_set.json"):
        record(governed, tmp_path)


def test_history_lists_every_approval_oldest_first(governed: Governed) -> None:
    found = record(governed)
    assert found.baseline == governed.baseline and faults(governed) == ()
    assert [step.golden.scores.model_sha256 for step in found.steps] == [
        sha(name) for name in ("run-1", "run-2", "run-3")
    ]
    assert [step.file.name for step in found.steps] == [
        "golden-0001.json",
        "golden-0002.json",
        "golden.json",
    ]
    seqs = [step.seq for step in found.steps]
    assert seqs == [e.seq for e in governed.ledger.entries() if e.kind == "approval"]


def test_a_golden_archived_by_an_approval_that_was_cut_short_is_listed_once(
    governed: Governed,
) -> None:
    shutil.copy(governed.baseline / "golden.json", governed.baseline / HISTORY / "golden-0003.json")
    found = record(governed)
    assert len(found.steps) == 3 and faults(governed) == ()


def test_an_approval_from_before_the_ledger_is_no_fault(governed: Governed) -> None:
    governed.workspace.ledger.unlink()
    governed.ledger.chain.head_path.unlink()
    assert faults(governed) == ()
    governed.approved("run-4")
    found = record(governed)
    assert [step.seq is None for step in found.steps] == [True, True, True, False]
    assert faults(governed) == ()


def test_an_archived_golden_that_is_gone_is_named(governed: Governed) -> None:
    (governed.baseline / HISTORY / "golden-0001.json").unlink()
    missing, unheld = faults(governed)
    assert missing == "history/golden-0001.json is missing"
    assert unheld.startswith("entry 2 of the ledger (approval by A. Radiologist")
    assert unheld.endswith("approves a golden that no file holds")


def test_a_golden_that_the_ledger_does_not_know_is_named(governed: Governed) -> None:
    path = governed.baseline / "golden.json"
    forged = replace(governed.golden.approval, by="Somebody Else")
    save_golden(replace(governed.golden, approval=forged), path)
    found = faults(governed)
    assert any("golden.json: approved by Somebody Else on" in fault for fault in found)
    assert any("golden.json is not the golden of entry 6" in fault for fault in found)


def test_an_old_golden_put_back_is_named(governed: Governed) -> None:
    old = governed.baseline / HISTORY / "golden-0002.json"
    shutil.copy(old, governed.baseline / "golden.json")
    assert any("entry 6" in fault and "is not in effect" in fault for fault in faults(governed))
    shutil.copy(old.with_name("golden-0001.json"), governed.baseline / "golden.json")
    assert any("is not the golden of entry 6" in fault for fault in faults(governed))


def test_archived_goldens_in_another_order_are_named(governed: Governed) -> None:
    folder = governed.baseline / HISTORY
    (folder / "golden-0001.json").rename(folder / "spare")
    (folder / "golden-0002.json").rename(folder / "golden-0001.json")
    (folder / "spare").rename(folder / "golden-0002.json")
    assert faults(governed) == ("the files are not in the order of the ledger",)


def test_an_edited_archived_golden_is_an_integrity_error(governed: Governed) -> None:
    path = governed.baseline / HISTORY / "golden-0001.json"
    path.write_text(path.read_text().replace(PERSON, "B. Radiologist"))
    with refused(IntegrityError, "golden-0001.json: "):
        faults(governed)


def amended(governed: Governed) -> None:
    """Golden carried over to version 2 of the case set, as an amendment does it."""
    golden, after = governed.golden, locked(200, 200, sentinels=[5])
    step = Rescoring(CASES.merkle_root, after.merkle_root, PERSON, "a sentinel", "2025-04-01")
    new = replace(
        golden,
        scores=replace(golden.scores, scored_case_set=after.merkle_root),
        approval=replace(golden.approval, rescored=(step,)),
    )
    body = {
        "case_set": "planted",
        "from_version": 1,
        "from_root": CASES.merkle_root,
        "to_version": 2,
        "to_root": after.merkle_root,
        "reason": "a sentinel",
        "from_golden_sha256": golden.golden_sha256,
        "to_golden_sha256": new.golden_sha256,
    }
    save_case_set(after, governed.baseline / "case_set.json")
    governed.ledger.append("amendment", body, by=PERSON, at=AT)
    save_golden(new, governed.baseline / "golden.json")


def test_golden_carried_over_to_an_amended_case_set_is_on_record(governed: Governed) -> None:
    amended(governed)
    found = record(governed)
    assert faults(governed) == ()
    assert found.steps[-1].golden.approval.rescored[0].reason == "a sentinel"
    assert found.steps[-1].seq == governed.ledger.head().seq


def test_golden_moves_on_after_an_amendment(governed: Governed) -> None:
    amended(governed)
    carried = governed.golden.golden_sha256
    after = locked(200, 200, sentinels=[5])
    governed.run("run-5", scored(after, model="run-5"), case_set=after)
    propose_golden(governed.root, run_id="run-5", by=PERSON)
    shown = record(governed)
    assert shown.case_set.merkle_root == after.merkle_root and shown.proposal is not None
    approve_golden(governed.root, by=PERSON, reason="new")
    assert load_golden(governed.baseline / HISTORY / "golden-0003.json").golden_sha256 == carried
    assert faults(governed) == ()


def test_an_amendment_that_was_cut_short_stops_approvals_and_is_said(governed: Governed) -> None:
    old = (governed.baseline / "golden.json").read_bytes()
    amended(governed)
    (governed.baseline / "golden.json").write_bytes(old)
    shown = record(governed)
    assert shown.unfinished is not None and shown.unfinished.kind == "amendment"
    assert any("(amendment by" in fault and "cut short" in fault for fault in faults(governed))
    after = locked(200, 200, sentinels=[5])
    governed.run("run-5", scored(after, model="run-5"), case_set=after, golden=())
    with refused(IntegrityError, "entry 7 "):
        propose_golden(governed.root, run_id="run-5", by=PERSON)


@pytest.mark.parametrize("text", ["{}", json.dumps({"case_set": ["/nowhere/case_set.json", ""]})])
def test_a_run_with_a_damaged_request_is_passed_over(governed: Governed, text: str) -> None:
    (governed.workspace.run_folder("run-3") / REQUEST).write_text(text)
    assert record(governed).baseline == governed.baseline
