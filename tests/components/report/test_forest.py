from dataclasses import replace
from xml.etree import ElementTree

import pytest

from components.decision import CheckResult, Verdict
from components.report.forest import WIDTH, panels
from tests.components.report.making import (
    BRIER,
    EVALUATOR,
    FLIPS,
    FLOOR,
    INCONCLUSIVE,
    MARGIN,
    SENTINEL,
)

RISE = replace(BRIER, rule="non_inferiority", role="gate", against="golden", limit=0.02)


def strip(check: CheckResult) -> ElementTree.Element:
    ((panel),) = panels([check])
    return ElementTree.fromstring(panel.rows[0].picture)


def classes(check: CheckResult) -> list[str]:
    return [piece.get("class", "") for piece in strip(check).iter()]


def test_checks_are_set_out_by_kind_and_supporting_ones_last() -> None:
    titles = [panel.title for panel in panels([BRIER, EVALUATOR, FLOOR, MARGIN, FLIPS, SENTINEL])]
    assert titles == [
        "Floors",
        "Change against champion",
        "Cases turned wrong",
        "Conditions",
        "Supporting: ceilings",
    ]


def test_every_check_is_in_one_panel() -> None:
    checks = [BRIER, EVALUATOR, FLOOR, MARGIN, FLIPS, SENTINEL]
    shown = [row.check.check for panel in panels(checks) for row in panel.rows]
    assert sorted(shown) == sorted(check.check for check in checks)


def test_a_check_without_an_interval_is_not_drawn() -> None:
    (panel,) = panels([EVALUATOR])
    assert panel.axis == "" and panel.rows[0].picture == ""


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_is_shown_by_colour_shape_and_word(verdict: Verdict) -> None:
    check = replace(FLOOR, verdict=verdict)
    css = verdict.value.lower()
    assert f"interval {css}" in classes(check)
    assert any(name.startswith("mark") and css in name for name in classes(check))
    assert (strip(check).findtext("desc") or "").startswith(f"{verdict.value}: estimate 0.950")


def test_the_interval_lies_within_the_picture_and_beside_its_limit() -> None:
    lines = {piece.get("class"): piece for piece in strip(FLOOR).iter("line")}
    whole = next(p for p in strip(FLOOR).iter("line") if p.get("class") == "interval pass")
    left, right = float(whole.get("x1", "")), float(whole.get("x2", ""))
    assert 0 < float(lines["limit"].get("x1", "")) < left < right < WIDTH


@pytest.mark.parametrize(
    ("check", "below"),
    [(FLOOR, True), (MARGIN, True), (FLIPS, False), (BRIER, False), (RISE, False)],
)
def test_the_forbidden_side_of_the_limit_is_shaded(check: CheckResult, below: bool) -> None:
    shade = next(p for p in strip(check).iter("rect") if p.get("class") == "forbidden")
    assert (shade.get("x") == "0") == below


def test_checks_of_a_panel_share_a_scale() -> None:
    wide = replace(FLOOR, check="b", lower=0.2, upper=0.99, limit=0.5, verdict=INCONCLUSIVE)
    (panel,) = panels([FLOOR, wide])
    grids = [
        [p.get("x1") for p in ElementTree.fromstring(row.picture) if p.get("class") == "grid"]
        for row in panel.rows
    ]
    assert grids[0] == grids[1] and grids[0]
