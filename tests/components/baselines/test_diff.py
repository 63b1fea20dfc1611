import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from components.baselines.case_set import CaseSet, LockedCase
from components.baselines.diff import Diff, diff_case_sets
from tests.components.planting import locked, sha

BEFORE = locked(3, 3, sentinels=[0])


def changed(place: int, **change: Any) -> CaseSet:
    cases = list(BEFORE.cases)
    cases[place] = replace(cases[place], **change)
    return replace(BEFORE, cases=tuple(cases))


def test_the_same_cases_differ_in_nothing() -> None:
    diff = diff_case_sets(BEFORE, replace(BEFORE, version=2, author="another"))
    assert not diff and diff == Diff() and diff.as_json() == {}


def test_added_and_retired_cases_are_named() -> None:
    fewer = replace(BEFORE, cases=BEFORE.cases[1:])
    assert diff_case_sets(BEFORE, fewer) == Diff(retired=("case-0000",))
    assert diff_case_sets(fewer, BEFORE) == Diff(
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
    diff = diff_case_sets(BEFORE, changed(place, **change))
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
        "attributes",
    }
