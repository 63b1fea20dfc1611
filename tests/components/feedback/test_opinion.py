import json

import pytest

from components.feedback.opinion import (
    LABELS,
    ROLES,
    SOURCES,
    JudgedCase,
    Opinion,
    fault_in,
    line_of,
    parse_line,
)
from components.records.errors import ConfigError
from components.records.schema import SCHEMAS, parse_json
from tests.components.feedback.making import judged, opinion


@pytest.mark.parametrize("score", [0, 0.1, 1e-7, 1 / 3, 5e-324, 1])
def test_a_line_reads_back_as_the_opinion_it_was_made_of(score: float) -> None:
    made = opinion(score=score, note="ß \u2028 '\"")
    line = line_of(made)
    assert parse_line(line) == made and fault_in(made, line) is None
    parse_json(line.decode(), "feedback", where="line")


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "maybe"},
        {"role": "king"},
        {"by": ""},
        {"by": "x" * 101},
        {"case_id": ""},
        {"score": 1.01},
        {"score": float("nan")},
        {"note": "x" * 2001},
        {"note": ""},
        {"nonce": "short"},
        {"pixels_sha256": "ab"},
        {"at": "yesterday"},
        {"by": "half \ud800 pair"},
    ],
)
def test_what_breaks_the_contract_is_never_made(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError):
        opinion(**wrong)


def test_words_in_code_and_schema_are_the_same() -> None:
    said = json.loads((SCHEMAS / "feedback.json").read_text())["properties"]
    known = tuple(tuple(said[key]["enum"]) for key in ("label", "role", "source"))
    assert known == (LABELS, ROLES, SOURCES)


@pytest.mark.parametrize(
    "change",
    [{"seq": True}, {"label": "maybe"}, {"predicted": {}}, {"extra": 1}, {"note": 3}, {"by": None}],
)
def test_a_line_with_other_keys_or_types_is_no_opinion(change: dict) -> None:  # type: ignore[type-arg]
    document = {**json.loads(line_of(opinion())), **change}
    assert parse_line(json.dumps(document).encode()) is None


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"null", b"\xff", b'{"seq": 1'])
def test_what_is_no_object_is_no_opinion(line: bytes) -> None:
    assert "not an opinion" in str(fault_in(parse_line(line), line))


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
