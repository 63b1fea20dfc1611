"""One picture under both labels, of two patients, or many times: named, and refused at the lock."""

import pytest

from components.cases.repeats import find_repeats, refuse_repeats
from components.records.case import CaseRecord
from components.records.errors import SourceError
from tests.components.planting import sha
from tests.refusing import refused


def case(
    number: int, *, picture: int | None = None, label: int = 0, patient: str = ""
) -> CaseRecord:
    shown = sha(f"pixels {number if picture is None else picture}")
    return CaseRecord(f"c{number}", patient or f"p{number}", label, sha(f"bytes {number}"), shown)


SOUND = [case(number) for number in range(100)]


def test_nothing_that_stands_once_is_named() -> None:
    found = find_repeats(SOUND)
    assert (found.cases, found.copies, found.clauses()) == (100, {}, [])
    refuse_repeats(SOUND, where="x")


def test_a_contradiction_is_named_with_both_cases_and_what_they_say() -> None:
    found = find_repeats([*SOUND, case(100, picture=7, label=1, patient="p7")])
    assert found.clauses() == ["1 picture under both labels: c7 (negative) and c100 (positive)"]


def test_one_picture_of_two_patients_is_named() -> None:
    found = find_repeats([*SOUND, case(100, picture=7)])
    assert found.clauses() == ["1 picture of two patients: c7 (p7) and c100 (p100)"]


def test_patients_that_a_source_makes_up_contradict_nothing() -> None:
    nameless = [case(1, patient="c1"), case(2, picture=1, patient="c2")]
    hashed = [case(3, patient=f"px-{sha('pixels 3')}"), case(4, picture=3, patient="x")]
    assert find_repeats([*nameless, *hashed]).clauses() == []


def test_a_picture_under_both_labels_is_not_locked() -> None:
    with refused(
        SourceError, "data: 1 picture under both labels: c7 (negative) and c100 (positive)"
    ):
        refuse_repeats([*SOUND, case(100, picture=7, label=1)], where="data")


def test_a_picture_thirty_one_times_is_not_locked() -> None:
    copies = [case(100 + number, picture=7) for number in range(30)]
    with refused(SourceError, "1 picture more than 2 times: c7 31 times"):
        refuse_repeats([*(case(n) for n in range(1000, 2000)), *SOUND, *copies], where="data")


@pytest.mark.parametrize(("pairs", "locked"), [(5, True), (6, False)])
def test_a_pair_here_and_there_is_locked_and_one_in_twenty_is_not(pairs: int, locked: bool) -> None:
    cases = [*SOUND[:-pairs], *(case(100 + number, picture=number) for number in range(pairs))]
    if locked:
        refuse_repeats(cases, where="data")
    else:
        with refused(SourceError, "6 of 100 cases repeat"):
            refuse_repeats(cases, where="data")


def test_what_stands_beside_is_held_against_but_not_among_itself() -> None:
    locked = [case(1, picture=7), case(2, picture=7), case(3)]
    found = find_repeats([case(4, picture=7), case(5)], beside=locked)
    assert found.clauses() == ["1 picture of two patients: c1 (p1) and c4 (p4)"]
    assert found.cases == 2 and find_repeats([case(5)], beside=locked).clauses() == []
