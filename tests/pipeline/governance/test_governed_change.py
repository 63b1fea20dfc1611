"""What a change of a baseline may do, whoever asks: a hook of git's or `casegate ci`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet, case_set_json
from components.baselines.golden import Golden, Rescoring, save_golden
from components.records.errors import CasegateError, IntegrityError, PolicyError
from pipeline.governance.governed_change import GovernedChange, broken_rules
from tests.components.planting import approved, locked, scored
from tests.pipeline.ci.hooks.making import CASES, POLICY

AMENDED = {"author": "A. Radiologist", "reason": "blur", "date": "2026-02-01"}
NEXT = amend_case_set(CASES, CaseChanges(retire=("case-0001",)), **AMENDED)
LAST = amend_case_set(NEXT, CaseChanges(retire=("case-0002",)), **AMENDED)
GOLDEN = approved(scored(CASES, model="golden"))
MOVED = approved(scored(CASES, wrong=(1,), model="next"), "better")
KEPT_CASES = {"history/case_set-0001.json": case_set_json(CASES)}

Judge = Callable[..., list[CasegateError]]


@pytest.fixture
def content(tmp_path: Path) -> Callable[[Golden], bytes]:
    def of(golden: Golden) -> bytes:
        save_golden(golden, tmp_path / "golden.json")
        return (tmp_path / "golden.json").read_bytes()

    return of


@pytest.fixture
def faults(content: Callable[[Golden], bytes]) -> Judge:
    """The rules broken by files that take others' place; None takes one away."""
    base = {
        "policy.yaml": POLICY.encode(),
        "case_set.json": case_set_json(CASES),
        "golden.json": content(GOLDEN),
    }

    def of(*, before: dict[str, bytes] = base, **after: bytes | None) -> list[CasegateError]:
        names = {"policy": "policy.yaml", "case_set": "case_set.json", "golden": "golden.json"}
        given = {names.get(name, name): value for name, value in after.items()}
        now = {name: value for name, value in {**before, **given}.items() if value is not None}
        changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
        files = [{name: partial(bytes, x) for name, x in side.items()} for side in (before, now)]
        change = GovernedChange("baselines/chest", *files, frozenset(changed))
        return list(broken_rules(change))

    return of


def test_what_does_not_change_breaks_nothing(faults: Judge) -> None:
    assert faults() == []


def test_a_baseline_that_is_new_breaks_nothing(faults: Judge) -> None:
    assert faults(before={}, policy=POLICY.encode(), case_set=case_set_json(CASES)) == []


def test_a_whole_baseline_that_is_taken_away_is_refused_file_by_file(faults: Judge) -> None:
    found = faults(policy=None, case_set=None, golden=None)
    assert [type(fault) for fault in found] == [IntegrityError] * 3
    assert all(": is gone; " in str(fault) for fault in found)


@pytest.mark.parametrize("name", ["policy", "case_set", "golden"])
def test_a_file_that_is_taken_away_is_refused(faults: Judge, name: str) -> None:
    gone = [fault for fault in faults(**{name: None}) if "is gone" in str(fault)]
    assert [type(fault) for fault in gone] == [IntegrityError]
    assert name in str(gone[0])


# Policies


def test_a_policy_with_a_misspelt_key_names_the_line(faults: Judge) -> None:
    (fault,) = faults(policy=POLICY.replace("floor:", "flor:").encode())
    assert isinstance(fault, PolicyError)
    assert str(fault).startswith("baselines/chest/policy.yaml:")
    assert "did you mean 'floor'" in str(fault)


def test_a_policy_whose_check_can_never_pass_is_refused(faults: Judge) -> None:
    (fault,) = faults(policy=POLICY.replace("0.60", "0.99").encode())
    assert isinstance(fault, PolicyError)
    assert "sensitivity[overall].floor" in str(fault)


def test_a_case_set_too_small_for_its_policy_is_refused(faults: Judge) -> None:
    found = faults(case_set=case_set_json(locked(4, 4)), golden=None)
    assert [str(f) for f in found if isinstance(f, PolicyError) and "policy chest: " in str(f)]


def test_a_case_set_that_comes_without_a_policy_is_refused(faults: Judge) -> None:
    (fault,) = faults(before={}, case_set=case_set_json(CASES))
    assert isinstance(fault, PolicyError) and "policy.yaml" in str(fault)


# Case sets


def amended(faults: Judge, case_set: CaseSet, **more: bytes | None) -> list[str]:
    """What is wrong with a case set; golden, which is another matter, is left out."""
    found = faults(case_set=case_set_json(case_set), **more)
    return [str(fault) for fault in found if "golden.json" not in str(fault)]


def test_an_amendment_with_its_past_in_history_is_fine(faults: Judge) -> None:
    assert amended(faults, NEXT, **KEPT_CASES) == []


def test_two_amendments_in_one_change_are_fine_where_both_are_kept(faults: Judge) -> None:
    (words,) = amended(faults, LAST, **KEPT_CASES)[:1]
    assert "case_set.json: is version 3, wanted version 2" in words
    kept = {**KEPT_CASES, "history/case_set-0002.json": case_set_json(NEXT)}
    assert amended(faults, LAST, **kept) == []


def test_each_of_several_amendments_has_to_follow(faults: Judge) -> None:
    other = replace(NEXT, parent="0" * 64)
    kept = {**KEPT_CASES, "history/case_set-0002.json": case_set_json(other)}
    (words,) = amended(faults, LAST, **kept)
    assert "names the parent 000000000000..." in words


def test_a_case_set_that_was_edited_is_refused(faults: Judge) -> None:
    edited = case_set_json(CASES).replace(b'"label":1', b'"label":0', 1)
    (words,) = {str(fault) for fault in faults(case_set=edited)}
    assert words.startswith("baselines/chest/case_set.json: ") and "Merkle root" in words


def test_an_amendment_whose_past_is_not_kept_is_refused(faults: Judge) -> None:
    for kept in ({}, {"history/case_set-0001.json": case_set_json(locked(40, 41))}):
        (words,) = amended(faults, NEXT, **kept)
        assert "is not kept in history/" in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 1}, "is version 1, wanted version 2"),
        ({"version": 3}, "is version 3, wanted version 2"),
        ({"parent": "0" * 64}, "names the parent 000000000000..., wanted"),
        ({"parent": None}, "names the parent none"),
        ({"name": "other"}, "is other, took the place of planted"),
    ],
)
def test_a_version_that_does_not_follow_is_refused(
    faults: Judge, changes: dict[str, object], words: str
) -> None:
    found = amended(faults, replace(NEXT, **changes), **KEPT_CASES)
    assert any(words in one for one in found)


def test_a_first_version_with_a_parent_is_refused(faults: Judge) -> None:
    odd = case_set_json(replace(CASES, parent="0" * 64))
    (fault,) = faults(before={}, policy=POLICY.encode(), case_set=odd)
    assert "is version 1, and names a parent" in str(fault)


# Golden and history


def test_golden_that_moves_by_approval_is_fine(faults: Judge, content) -> None:
    kept = {"history/golden-0001.json": content(GOLDEN)}
    assert faults(golden=content(MOVED), **kept) == []


def test_golden_without_its_past_in_history_is_refused(faults: Judge, content) -> None:
    (fault,) = faults(golden=content(MOVED))
    assert "golden.json: takes the place of a golden that is not kept" in str(fault)


def test_golden_that_moves_under_its_old_approval_is_refused(faults: Judge, content) -> None:
    kept = {"history/golden-0001.json": content(GOLDEN)}
    moved = replace(GOLDEN, scores=replace(GOLDEN.scores, operating_point=0.4))
    (fault,) = faults(golden=content(moved), **kept)
    assert "moved without a new approval" in str(fault)


def test_golden_whose_scores_were_edited_is_refused(faults: Judge, content) -> None:
    (fault,) = faults(golden=content(GOLDEN).replace(b"0.8]", b"0.9]", 1))
    assert isinstance(fault, IntegrityError) and "they hash to " in str(fault)


def test_golden_that_was_scored_on_another_case_set_is_refused(faults: Judge) -> None:
    (fault,) = faults(case_set=case_set_json(NEXT), **KEPT_CASES)
    assert "golden.json: was scored on case set" in str(fault)


def test_an_amendment_carries_golden_over(faults: Judge, content) -> None:
    again = Rescoring(CASES.merkle_root, NEXT.merkle_root, *AMENDED.values())
    approval = replace(GOLDEN.approval, rescored=(again,))
    carried = Golden(replace(GOLDEN.scores, scored_case_set=NEXT.merkle_root), approval)
    kept = {**KEPT_CASES, "history/golden-0001.json": content(GOLDEN)}
    assert faults(case_set=case_set_json(NEXT), golden=content(carried), **kept) == []


@pytest.mark.parametrize("after", [b"{ }", None])
def test_history_is_only_added_to(faults: Judge, after: bytes | None) -> None:
    before = {"policy.yaml": POLICY.encode(), "history/golden-0001.json": b"{}"}
    (fault,) = faults(before=before, **{"history/golden-0001.json": after})
    assert "history/golden-0001.json: is history" in str(fault)
