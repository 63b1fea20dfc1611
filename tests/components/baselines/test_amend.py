import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from components.baselines.amend import CaseChanges, Diff, amend_case_set, diff_case_sets
from components.baselines.case_set import CaseSet, LockedCase, cases_root, lock_cases
from components.records.errors import ConfigError
from tests.components.planting import locked, seen_case, sha
from tests.refusing import refused

BEFORE = locked(2, 3, sentinels=[0])


def amended(case_set: CaseSet = BEFORE, **changes: Any) -> CaseSet:
    return amend_case_set(
        case_set, CaseChanges(**changes), author="B. Reader", reason="why", date="2025-04-01"
    )


def test_the_next_version_names_its_parent_author_reason_and_date() -> None:
    after = amended(retire=("case-0004",))
    assert (after.name, after.version, after.parent) == ("planted", 2, BEFORE.merkle_root)
    assert (after.author, after.reason, after.date) == ("B. Reader", "why", "2025-04-01")
    assert after.merkle_root == cases_root(after.cases) != BEFORE.merkle_root
    assert locked(2, 3, sentinels=[0]) == BEFORE


@pytest.mark.parametrize(
    "changes, wanted",
    [
        ({"retire": ("case-0004", "case-0000")}, {"retired": ("case-0000", "case-0004")}),
        ({"relabel": (("case-0003", 1),)}, {"relabelled": {"case-0003": ("negative", "positive")}}),
        ({"sentinel": ("case-0001",)}, {"sentinels_added": ("case-0001",)}),
        ({"unsentinel": ("case-0000",)}, {"sentinels_removed": ("case-0000",)}),
        ({"add": (seen_case(9, 1),)}, {"added": ("case-0009",)}),
        (
            {"add": (seen_case(9, 1),), "sentinel": ("case-0009",)},
            {"added": ("case-0009",), "sentinels_added": ("case-0009",)},
        ),
        (
            {"relabel": (("case-0002", 1),), "sentinel": ("case-0002",)},
            {
                "relabelled": {"case-0002": ("negative", "positive")},
                "sentinels_added": ("case-0002",),
            },
        ),
    ],
)
def test_exactly_what_was_asked_for_changes(
    changes: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert diff_case_sets(BEFORE, amended(**changes)) == Diff(**wanted)


def test_the_order_of_the_options_changes_nothing() -> None:
    ids = ("case-0004", "case-0003")
    assert amended(retire=ids) == amended(retire=ids[::-1])


def test_what_the_source_says_otherwise_is_kept_over_versions() -> None:
    second = amended(retire=("case-0004",), relabel=(("case-0003", 1),))
    assert (second.retired, second.relabelled) == (("case-0004",), ("case-0003",))
    third = amended(second, retire=("case-0003",), add=(seen_case(4, 0),))
    assert (third.retired, third.relabelled) == (("case-0003",), ())
    assert third.parent == second.merkle_root and third.version == 3


@pytest.mark.parametrize(
    "changes, facts",
    [
        ({}, ["--add", "--retire"]),
        (
            {"retire": ("case-004",)},
            ["--retire", "'case-004'", "among its 5", "did you mean 'case-"],
        ),
        ({"relabel": (("x", 1),)}, ["--relabel", "'x'", "its 5"]),
        ({"sentinel": ("x\ny",)}, ["--sentinel", r'"x\ny"']),
        ({"unsentinel": ("x",)}, ["--unsentinel", "'x'"]),
        ({"add": (seen_case(1, 1),)}, ["--add", "'case-0001'", "already"]),
        ({"retire": ("case-0004",) * 2}, ["--retire", "'case-0004'", "2 times"]),
        ({"add": (seen_case(9, 1),) * 2}, ["--add", "'case-0009'", "2 times"]),
        (
            {"relabel": (("case-0003", 1), ("case-0003", 0))},
            ["--relabel", "'case-0003'", "2 times"],
        ),
        (
            {"retire": ("case-0003",), "relabel": (("case-0003", 1),)},
            ["'case-0003'", "--retire and --relabel"],
        ),
        (
            {"retire": ("case-0001",), "sentinel": ("case-0001",)},
            ["'case-0001'", "--retire and --sentinel"],
        ),
        (
            {"sentinel": ("case-0001",), "unsentinel": ("case-0001",)},
            ["'case-0001'", "--sentinel and --unsentinel"],
        ),
        ({"relabel": (("case-0001", 1),)}, ["'case-0001'", "positive already"]),
        ({"sentinel": ("case-0000",)}, ["'case-0000'", "sentinel already"]),
        ({"unsentinel": ("case-0001",)}, ["'case-0001'", "no sentinel"]),
        ({"retire": ("case-0000", "case-0001")}, ["no positive"]),
        (
            {"retire": ("case-0002", "case-0003"), "relabel": (("case-0004", 1),)},
            ["no negative"],
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict[str, Any], facts: list[str]) -> None:
    with refused(ConfigError, "case set planted version 1: ", *facts):
        amended(**changes)


def test_a_class_that_is_replaced_may_go() -> None:
    after = amended(retire=("case-0000", "case-0001"), add=(seen_case(9, 1),))
    assert [case.case_id for case in after.cases if case.label] == ["case-0009"]


@pytest.mark.parametrize("case_id", ['"; DROP', "line\nbreak", "患者-01", "a=b", "-x", "it's"])
def test_any_text_can_be_an_id(case_id: str) -> None:
    seen = [seen_case(0, 1), seen_case(1, 0), seen_case(2, 1)]
    odd = lock_cases(
        [replace(case, case_id=case_id) if i == 2 else case
         for i, case in enumerate(seen)],
        name="odd", author="A", reason="r", date="2025-03-31", source="s",
    )  # fmt: skip
    assert amended(odd, retire=(case_id,)).retired == (case_id,)
    assert amended(odd, relabel=((case_id, 0),)).relabelled == (case_id,)


FIRST_VERSION = locked(3, 3, sentinels=[0])


def changed(place: int, **change: Any) -> CaseSet:
    cases = list(FIRST_VERSION.cases)
    cases[place] = replace(cases[place], **change)
    return replace(FIRST_VERSION, cases=tuple(cases))


def test_the_same_cases_differ_in_nothing() -> None:
    diff = diff_case_sets(FIRST_VERSION, replace(FIRST_VERSION, version=2, author="another"))
    assert not diff and diff == Diff() and diff.as_json() == {}


def test_added_and_retired_cases_are_named() -> None:
    fewer = replace(FIRST_VERSION, cases=FIRST_VERSION.cases[1:])
    assert diff_case_sets(FIRST_VERSION, fewer) == Diff(retired=("case-0000",))
    assert diff_case_sets(fewer, FIRST_VERSION) == Diff(
        added=("case-0000",), sentinels_added=("case-0000",)
    )


@pytest.mark.parametrize(
    "place, change, wanted",
    [
        (3, {"label": 1}, {"relabelled": {"case-0003": ("negative", "positive")}}),
        (3, {"patient_id": "x"}, {"patients": {"case-0003": ("patient-1", "x")}}),
        (1, {"sentinel": True}, {"sentinels_added": ("case-0001",)}),
        (0, {"sentinel": False}, {"sentinels_removed": ("case-0000",)}),
        (2, {"pixels_sha256": sha("x")}, {"pictures": ("case-0002",)}),
        (
            2,
            {"pixels_sha256": sha("x"), "bytes_sha256": sha("y")},
            {"pictures": ("case-0002",)},
        ),
        (2, {"bytes_sha256": sha("x")}, {"recoded": ("case-0002",)}),
        (
            1,
            {"attributes": {"site": "Lakeside", "view": "PA"}},
            {
                "attributes": {
                    "case-0001": {
                        "device": ("Aster", None),
                        "site": (None, "Lakeside"),
                        "view": (None, "PA"),
                    }
                }
            },
        ),
    ],
)
def test_a_change_of_one_case_is_the_only_one_named(
    place: int, change: dict[str, Any], wanted: dict[str, Any]
) -> None:
    diff = diff_case_sets(FIRST_VERSION, changed(place, **change))
    assert diff and diff == Diff(**wanted)
    assert list(diff.as_json()) == list(wanted)


def test_every_field_of_a_case_but_its_id_can_be_seen_to_change() -> None:
    fields = {field.name for field in dataclasses.fields(LockedCase)} - {"case_id"}
    assert fields == {
        "label",
        "patient_id",
        "sentinel",
        "pixels_sha256",
        "bytes_sha256",
        "perceptual_hash",
        "attributes",
    }
