import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.baselines.case_set import (
    LockedCase,
    load_case_set,
    lock_cases,
    nearest,
    save_case_set,
    verify_cases,
)
from components.records.case import CaseRecord
from components.records.errors import IntegrityError, NothingEvaluated
from tests.components.planting import locked, seen_case, sha
from tests.refusing import refused

LOCK = {"name": "p", "author": "a", "reason": "r", "date": "2025-03-31", "source": "s"}


def edited(path: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_case_set(locked(3, 4, sentinels=[1]), tmp_path / "case_set.json")
    return tmp_path / "case_set.json"


def test_round_trip(saved: Path) -> None:
    back = load_case_set(saved)
    assert back == locked(3, 4, sentinels=[1])
    assert back.cases[1].sentinel and not back.cases[0].sentinel


def test_every_case_is_one_line_and_the_file_is_valid_json(saved: Path) -> None:
    lines = [line for line in saved.read_text().splitlines() if '"case_id"' in line]
    assert len(lines) == 7 == len(json.loads(saved.read_text())["cases"])


def test_root_does_not_depend_on_the_order_the_cases_came_in() -> None:
    seen = [seen_case(i, i % 2) for i in range(9)]
    forwards, backwards = lock_cases(seen, **LOCK), lock_cases(seen[::-1], **LOCK)
    assert forwards == backwards


@pytest.mark.parametrize(
    "change",
    [
        {"label": 0},
        {"patient_id": "other"},
        {"pixels_sha256": sha("other")},
        {"bytes_sha256": sha("other")},
        {"attributes": {"device": "Cirrus"}},
        {"sentinel": True},
        {"case_id": "case-9999"},
    ],
)
def test_any_edit_of_a_case_is_found(saved: Path, change: dict[str, Any]) -> None:
    edited(saved, lambda document: document["cases"][0].update(change))
    with refused(IntegrityError, saved, "Merkle root"):
        load_case_set(saved)


@pytest.mark.parametrize(
    "key, value",
    [
        ("name", "q"),
        ("version", 2),
        ("author", "b"),
        ("reason", "x"),
        ("date", "2024-01-01"),
        ("source", "x"),
        ("parent", sha("p")),
    ],
)
def test_any_edit_of_the_header_is_found(saved: Path, key: str, value: object) -> None:
    edited(saved, lambda document: document.update({key: value}))
    with refused(IntegrityError, saved, "header"):
        load_case_set(saved)


def test_a_removed_case_is_found(saved: Path) -> None:
    edited(saved, lambda document: document["cases"].pop())
    with refused(IntegrityError, saved, "Merkle root"):
        load_case_set(saved)


def test_a_case_that_stands_twice_is_named(saved: Path) -> None:
    edited(saved, lambda document: document["cases"].append(document["cases"][2]))
    with refused(IntegrityError, saved, "twice", "case-0002"):
        load_case_set(saved)


@pytest.mark.parametrize(
    "text, facts",
    [
        ("{", ["JSON"]),
        ('{"name": 1, "name": 2}', ["'name'", "twice"]),
        ('{"version": NaN}', ["NaN"]),
        ("[]", ["wanted object"]),
        ('{"nmae": "p"}', ["'nmae'", "did you mean 'name'"]),
    ],
)
def test_a_malformed_file_is_an_error_of_one_line(
    tmp_path: Path, text: str, facts: list[str]
) -> None:
    path = tmp_path / "case_set.json"
    path.write_text(text)
    with refused(IntegrityError, path, *facts):
        load_case_set(path)


def test_an_absent_file_is_an_integrity_error(tmp_path: Path) -> None:
    with refused(IntegrityError, "absent"):
        load_case_set(tmp_path / "absent.json")


def test_locking_nothing_is_an_error() -> None:
    with pytest.raises(NothingEvaluated):
        lock_cases([], **LOCK)


def test_locking_a_case_twice_is_an_error() -> None:
    with refused(IntegrityError, "case-0001"):
        lock_cases([seen_case(1, 0), seen_case(1, 0)], **LOCK)


def test_every_field_of_a_case_is_under_the_root() -> None:
    row = json.loads(json.dumps(dataclasses.asdict(locked(1, 1).cases[0])))
    assert set(row) == {field.name for field in dataclasses.fields(LockedCase)}


SEEN = [seen_case(i, int(i < 5)) for i in range(12)]


def test_the_locked_cases_in_any_order_pass() -> None:
    verify_cases(locked(5, 7), SEEN[::-1])


def test_reencoded_without_loss_passes() -> None:
    verify_cases(locked(5, 7), [replace(case, bytes_sha256=sha("re-encoded")) for case in SEEN])


@pytest.mark.parametrize(
    "fault, seen",
    [
        ("missing: 1 (case-0003)", SEEN[:3] + SEEN[4:]),
        ("additional: 1 (case-0099)", [*SEEN, seen_case(99, 1)]),
        ("duplicated: 1 (case-0003)", [*SEEN, SEEN[3]]),
        ("missing: 12 (case-0000, case-0001, case-0002, ...)", []),
    ],
)
def test_other_cases_are_named(fault: str, seen: list[CaseRecord]) -> None:
    with refused(IntegrityError, fault):
        verify_cases(locked(5, 7), seen)


@pytest.mark.parametrize(
    "fault, change",
    [
        ("relabelled", lambda case: replace(case, label=1 - case.label)),
        ("altered pixels", lambda case: replace(case, bytes_sha256="0", pixels_sha256="0")),
        ("other attributes", lambda case: replace(case, attributes={"device": "Cirrus"})),
        ("other attributes", lambda case: replace(case, attributes={})),
        ("other patient", lambda case: replace(case, patient_id="someone")),
    ],
)
def test_a_changed_case_is_named(fault: str, change: Callable[[CaseRecord], CaseRecord]) -> None:
    with refused(IntegrityError, f"{fault}: 1 (case-0003)"):
        verify_cases(locked(5, 7), [*SEEN[:3], change(SEEN[3]), *SEEN[4:]])


def test_a_misspelt_id_is_looked_up_near_its_place() -> None:
    ids = [f"case-{i:06d}" for i in range(150_000, 200_000)]
    assert nearest("case-17345x", ids) == "; did you mean 'case-173459'?"
    assert nearest("case-0160177", ids) == "; did you mean 'case-160177'?"
    assert nearest("zebra", ids) == ""


@pytest.mark.parametrize("far, close", [("lz", "lango-1"), ("mz", "nango-1")])
def test_a_misspelt_id_is_compared_with_five_hundred_on_either_side(far: str, close: str) -> None:
    between = [f"{far}{i:05d}" for i in range(500)]
    assert nearest("mango-1", [close, *between[:499]]) == f"; did you mean '{close}'?"
    assert nearest("mango-1", [close, *between]) == ""
