import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.feedback.sides import KnownSides, Settled, Sides, take_sides

NOTHING = KnownSides()


def case(
    case_id: str, patient: str | None = "", *, missed: bool = False, **given: object
) -> Settled:
    def hashed(word: str) -> str:
        return hashlib.sha256(f"{word} {case_id}".encode()).hexdigest()

    made = Settled(
        case_id=case_id,
        patient_id=f"p-{case_id}" if patient == "" else patient,
        label="positive",
        pixels_sha256=hashed("pixels"),
        bytes_sha256=hashed("bytes"),
        missed=missed,
    )
    return replace(made, **given)  # type: ignore[arg-type]


def knowing(*cases: Settled, only: str | None = None) -> KnownSides:
    """What is known of these cases; `only` by their patients, pixels, bytes or case_ids."""
    known = {
        "case_ids": frozenset(one.case_id for one in cases),
        "patients": frozenset(one.patient_id or "" for one in cases),
        "pixels": frozenset(one.pixels_sha256 or "" for one in cases),
        "bytes": frozenset(one.bytes_sha256 or "" for one in cases),
    }
    return KnownSides(**(known if only is None else {only: known[only]}))


def sides(*cases: Settled, **known: KnownSides) -> Sides:
    given = {"case_set": NOTHING, "proposed": NOTHING, "trained": NOTHING, **known}
    return take_sides(cases, **given)


def went(found: Sides) -> tuple[list[str], list[str], list[str]]:
    return (
        [one.case_id for one in found.training],
        [one.case_id for one in found.proposed],
        [one.case_id for one in found.left_out],
    )


def test_missed_cases_are_proposed_and_others_are_trained_on() -> None:
    assert went(sides(case("a"), case("b", missed=True), case("c"))) == (["a", "c"], ["b"], [])


def test_a_patient_with_a_missed_case_is_proposed_whole() -> None:
    found = sides(case("a", "p"), case("b", "p", missed=True), case("c", "other"))
    assert went(found) == (["c"], ["a", "b"], [])


def test_patients_who_share_a_picture_stay_together() -> None:
    shared = "ab" * 32
    found = sides(
        case("a", "p1", pixels_sha256=shared),
        case("b", "p2", pixels_sha256=shared),
        case("c", "p2", missed=True),
    )
    assert went(found) == ([], ["a", "c"], ["b"])
    assert found.left_out[0].why == "the same picture as case a"


def test_one_picture_with_two_labels_goes_nowhere() -> None:
    shared = "ab" * 32
    found = sides(
        case("a", pixels_sha256=shared), case("b", pixels_sha256=shared, label="negative")
    )
    assert went(found) == ([], [], ["a", "b"])
    assert "with another label" in found.left_out[0].why


@pytest.mark.parametrize("missed", [False, True])
@pytest.mark.parametrize("by", ["case_ids", "pixels", "bytes"])
@pytest.mark.parametrize("side", ["case_set", "proposed", "trained"])
def test_a_case_that_stands_on_a_side_goes_nowhere(side: str, by: str, missed: bool) -> None:
    one = case("a", missed=missed)
    found = sides(one, **{side: knowing(one, only=by)})
    assert went(found) == ([], [], ["a"])
    assert "stands in" in found.left_out[0].why


@pytest.mark.parametrize("side", ["case_set", "proposed"])
def test_a_patient_who_is_judged_on_is_never_trained_on(side: str) -> None:
    other, missed = case("a", "p"), case("b", "p", missed=True)
    found = sides(other, missed, **{side: knowing(case("before", "p"))})
    assert went(found) == ([], ["b"], ["a"])
    assert "its patient stands in" in found.left_out[0].why


def test_a_patient_who_was_trained_on_is_never_proposed() -> None:
    other, missed = case("a", "p"), case("b", "p", missed=True)
    assert went(sides(other, missed, trained=knowing(case("before", "p")))) == (["a", "b"], [], [])


def test_a_patient_whose_picture_was_trained_on_under_another_name_is_not_proposed() -> None:
    known, missed = case("a", "p"), case("b", "p", missed=True)
    assert went(sides(known, missed, trained=knowing(known, only="pixels"))) == (["b"], [], ["a"])


def test_a_patient_on_both_sides_goes_nowhere() -> None:
    before = knowing(case("before", "p"))
    found = sides(case("a", "p"), case("b", "p", missed=True), trained=before, case_set=before)
    assert went(found) == ([], [], ["a", "b"])
    assert "mend that first" in found.left_out[0].why


@pytest.mark.parametrize("lacking", [{"patient": None}, {"pixels_sha256": None}])
def test_what_cannot_be_told_goes_nowhere(lacking: dict) -> None:  # type: ignore[type-arg]
    found = sides(case("a", **lacking))
    assert went(found) == ([], [], ["a"])
    assert "the log names no" in found.left_out[0].why


def test_the_siblings_of_a_missed_case_wait_until_it_is_usable() -> None:
    missed = case("b", "p", missed=True, unusable="no image")
    found = sides(case("a", "p"), missed, case("c"))
    assert went(found) == (["c"], [], ["a", "b"])
    assert "case b of its patient was missed" in found.left_out[0].why


def test_an_unusable_case_does_not_hold_up_a_patient_who_was_not_missed() -> None:
    found = sides(case("a", "p"), case("b", "p", unusable="no image"))
    assert went(found) == (["a"], [], ["b"])


few = st.sampled_from(["1", "2", "3"])
cases = st.lists(
    st.builds(
        lambda number, patient, pixels, label, missed, unusable: case(
            f"case-{number}",
            patient,
            pixels_sha256=pixels,
            bytes_sha256=pixels,
            label=label,
            missed=missed and label == "positive",
            unusable=unusable,
        ),
        st.integers(0, 30),
        st.sampled_from(["p1", "p2", "p3", "p4", None]),
        st.sampled_from(["x1", "x2", "x3", "x4", "x5", "x6", None]),
        st.sampled_from(["positive", "negative"]),
        st.booleans(),
        st.sampled_from(["", "", "no image"]),
    ),
    unique_by=lambda one: one.case_id,
    max_size=8,
)


@settings(max_examples=60)
@given(cases, cases, cases, cases)
def test_no_patient_picture_or_case_is_ever_on_both_sides(
    new: list[Settled], judged: list[Settled], proposed: list[Settled], trained: list[Settled]
) -> None:
    def keys(those: object) -> set[tuple[str, str]]:
        assert isinstance(those, list | tuple)
        named = {("patient", one.patient_id) for one in those}
        named |= {("pixels", one.pixels_sha256) for one in those}
        return {key for key in named if key[1] is not None}

    held = {"case_set": judged, "proposed": proposed, "trained": trained}
    found = sides(*new, **{name: knowing(*those) for name, those in held.items()})
    assert not keys(found.training) & keys(found.proposed)
    assert not keys(found.training) & (keys(judged) | keys(proposed))
    assert not keys(found.proposed) & keys(trained)
    everywhere = [one.case_id for one in (*found.training, *found.proposed, *found.left_out)]
    assert sorted(everywhere) == sorted(one.case_id for one in new)
