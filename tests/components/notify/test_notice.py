import json
from pathlib import Path

import pytest

from components.notify.notice import Notice
from tests.components.notify.serving import message, notice


def test_the_body_says_everything_once() -> None:
    told = notice()
    assert json.loads(told.body()) == {
        "at": told.at,
        "delivery": told.delivery,
        "event": "blocked",
        "facts": {"run_id": "7", "verdict": "FAIL"},
        "key": "blocked:7",
        "lines": ["Sensitivity fell by 0.08.", "Look at the report."],
        "subject": "run 7 was blocked: sensitivity fell",
    }


def test_the_body_of_one_notice_never_changes() -> None:
    told = notice()
    assert Notice.from_json(json.loads(json.dumps(told.as_json()))).body() == told.body()


def test_two_notices_of_one_message_have_different_ids() -> None:
    told = message()
    assert Notice.of(told).delivery != Notice.of(told).delivery


def test_an_undefined_number_is_told_as_its_word() -> None:
    told = notice(facts={"auc": float("nan"), "report": Path("a/b"), "all": (1.5, float("inf"))})
    assert json.loads(told.body())["facts"] == {"auc": "nan", "report": "a/b", "all": [1.5, "inf"]}


@pytest.mark.parametrize("missing", ["delivery", "at", "message"])
def test_half_a_notice_is_none(missing: str) -> None:
    tree = notice().as_json()
    del tree[missing]
    with pytest.raises(KeyError):
        Notice.from_json(tree)


def test_a_notice_with_something_else_for_text_is_none() -> None:
    tree = notice().as_json()
    tree["message"]["lines"] = [1]
    with pytest.raises(TypeError):
        Notice.from_json(tree)
