from xml.etree import ElementTree

import pytest

from components.decision import Verdict
from components.pages.svg import Scale, drawing, element, label, mark, ticks
from tests.components.report.making import NASTY


def test_text_and_attributes_are_escaped() -> None:
    made = element("g", NASTY, element("text", NASTY), class_=NASTY)
    read = ElementTree.fromstring(made)
    assert [child.tag for child in read.iter()] == ["g", "text"]
    assert (read.get("class") or "").split() == NASTY.split()
    assert (read[0].text or "").split() == NASTY.split()


def test_a_drawing_names_itself_to_a_screen_reader() -> None:
    read = ElementTree.fromstring(drawing((10, 20), "roc", "title", "text"))
    assert (read.get("role"), read.get("viewBox")) == ("img", "0 0 10 20")
    named = (read.get("aria-labelledby") or "").split()
    assert [read.find(f"*[@id='{name}']").text for name in named] == ["title", "text"]  # type: ignore[union-attr]


def test_each_verdict_has_a_shape_of_its_own() -> None:
    assert len({ElementTree.fromstring(mark(verdict, 5, 5)).tag for verdict in Verdict}) == 3


def test_a_scale_is_straight_and_may_run_backwards() -> None:
    assert Scale(0, 1, 10, 20)(0.5) == 15
    assert Scale(0, 1, 20, 10)(0.25) == 17.5


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.5, 1]),
        (0.68, 1.02, [0.7, 0.8, 0.9, 1.0]),
        (-0.13, 0.02, [-0.10, -0.05, 0]),
        (0, 1060, [0, 500, 1000]),
    ],
)
def test_ticks_are_round(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


@pytest.mark.parametrize(("value", "wanted"), [(-0.001, "0"), (0.5, "0.5"), (10.0, "10")])
def test_numbers_are_short_and_zero_has_no_sign(value: float, wanted: str) -> None:
    assert ElementTree.fromstring(label(value, 0, "", "tick")).get("x") == wanted
