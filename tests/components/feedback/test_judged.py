import pytest

from components.feedback.judged import JudgedCase
from components.feedback.opinion import Opinion
from tests.components.feedback.making import judged, opinion


def case(*opinions: Opinion, readers: int = 2) -> JudgedCase:
    (found,) = judged(*opinions, readers=readers)
    return found


def says(label: str, by: str, **given: object) -> Opinion:
    return opinion("case-1", label, by, **given)


def test_readers_who_agree_settle_a_case() -> None:
    found = case(says("negative", "A"), says("negative", "B"))
    assert (found.label, found.settled_by, found.open_because) == ("negative", "readers", "")


@pytest.mark.parametrize(
    ("opinions", "because"),
    [
        ([("positive", "A")], "read by 1 of 2"),
        ([("positive", "A"), ("positive", "A")], "read by 1 of 2"),
        ([("positive", "A"), ("negative", "B")], "readers disagree"),
        ([("positive", "A"), ("positive", "B"), ("negative", "C")], "readers disagree"),
        ([("positive", "A"), ("positive", "B"), ("unsure", "C")], "readers disagree"),
        ([("unsure", "A"), ("unsure", "B")], "whoever read it is unsure"),
    ],
)
def test_a_case_stays_open(opinions: list[tuple[str, str]], because: str) -> None:
    found = case(*(says(label, by) for label, by in opinions))
    assert (found.label, found.settled_by, found.open_because) == (None, None, because)


def test_the_newest_opinion_of_each_reader_counts() -> None:
    found = case(says("negative", "A"), says("positive", "B"), says("positive", "A"))
    assert found.label == "positive"
    assert [one.by for one in found.opinions] == ["B", "A"]


def test_an_adjudicator_settles_what_readers_disagree_on() -> None:
    found = case(
        says("positive", "A"), says("negative", "B"), says("negative", "C", role="adjudicator")
    )
    assert (found.label, found.settled_by) == ("negative", "adjudicator")


@pytest.mark.parametrize(
    ("labels", "because"),
    [
        (["unsure"], "the adjudicator is unsure"),
        (["positive", "negative"], "adjudicators disagree"),
    ],
)
def test_adjudicators_can_leave_it_open(labels: list[str], because: str) -> None:
    settling = [says(one, f"Z{i}", role="adjudicator") for i, one in enumerate(labels)]
    assert case(says("positive", "A"), says("positive", "B"), *settling).open_because == because


def test_an_adjudicator_can_withdraw_by_a_plain_opinion() -> None:
    found = case(says("positive", "Z", role="adjudicator"), says("unsure", "Z"))
    assert found.label is None


def test_two_pictures_under_one_id_settle_nothing() -> None:
    found = case(says("positive", "A"), says("positive", "B", pixels_sha256="ef" * 32))
    assert (found.label, found.pixels_sha256) == (None, None)
    assert found.open_because == "two pictures were served under its id"


@pytest.mark.parametrize(
    ("label", "positive", "right", "missed"),
    [
        ("positive", True, True, False),
        ("positive", False, False, True),
        ("negative", True, False, False),
        ("negative", False, True, False),
        ("positive", None, None, False),
    ],
)
def test_right_and_missed(
    label: str, positive: bool | None, right: bool | None, missed: bool
) -> None:
    found = case(*(says(label, by, positive=positive) for by in "AB"))
    assert (found.right, found.missed) == (right, missed)


@pytest.mark.parametrize("order", [1, -1])
def test_the_newest_prediction_is_the_one_that_is_judged(order: int) -> None:
    old, new = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"
    said = [
        says("positive", "A", positive=True, predicted_at=new),
        says("positive", "B", positive=False, predicted_at=old),
    ]
    found = case(*said[::order])
    assert found.predicted.at == new and not found.missed
