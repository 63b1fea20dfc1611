from dataclasses import replace

import numpy as np
import pytest

from components.decision import Decision, Flips
from components.report import worklist as module
from components.report.curves import judged_scores
from components.report.evidence import ReportEvidence
from components.report.worklist import Worklist, worklist
from tests.components.report.making import case_set, decision, evidence, png

CASES = case_set(400)
SHOWN = evidence(CASES)


def made(decided: Decision, shown: ReportEvidence | None = SHOWN) -> Worklist:
    return worklist(decided, shown, judged_scores(shown) if shown else None)


def lost(count: int) -> Decision:
    ids = tuple(f"case-{i:04d}" for i in range(count))
    return decision(flips=(Flips("golden", ("case-0399",), ids),))


def test_never_miss_cases_come_first_and_lost_before_gained() -> None:
    ids = [row.case_id for row in made(decision()).rows]
    assert ids == ["case-0002", "case-0001", "case-0004", "case-0010", "case-0011"]


def test_a_case_that_changed_against_both_baselines_is_one_row() -> None:
    rows = {row.case_id: row.against for row in made(decision()).rows}
    assert rows["case-0001"] == ("champion", "golden") and rows["case-0004"] == ("champion",)


def test_each_row_has_the_scores_of_its_case() -> None:
    row = made(decision()).rows[1]
    for model, scores in SHOWN.scores.items():
        assert row.scores[model] == scores.scores[1]
    assert row.case is not None and row.case.case_id == "case-0001"


def test_pictures_end_after_the_first_and_the_rows_without_are_counted() -> None:
    asked: list[str] = []
    image = png()
    shown = replace(SHOWN, picture=lambda name: asked.append(name) or image)  # type: ignore[func-returns-value]
    work = made(lost(300), shown)
    assert len(asked) == module.PICTURES == sum(row.picture is not None for row in work.rows)
    assert work.unseen == len(work.rows) - module.PICTURES == 101


def test_the_cases_whose_picture_is_shown_can_be_asked_for_before() -> None:
    made_of = lost(300)
    shown = [row.case_id for row in made(made_of).rows if row.picture]
    assert list(module.pictured(made_of, CASES)) == shown and len(shown) == module.PICTURES


def hot(*models: str, **heat: float) -> dict[str, dict[str, np.ndarray]]:
    """A map of each case that may be shown, by these models."""
    ids = [case.case_id for case in CASES.cases]
    return {
        m: {name: np.full((2, 2), heat.get(m, 1.0), np.float32) for name in ids} for m in models
    }


def test_each_row_has_the_maps_of_the_models_that_said_why() -> None:
    shown = replace(SHOWN, maps={"candidate": hot("candidate")["candidate"], "champion": {}})
    work = made(decision(), shown)
    assert (work.maps, work.mapless) == (("candidate",), ("champion",))
    assert [list(row.maps) for row in work.rows] == [["candidate"]] * len(work.rows)
    assert work.rows[0].maps["candidate"].startswith("data:image/jpeg;base64,")
    assert made(decision()).maps == () and made(decision()).rows[0].maps == {}


def test_a_model_for_which_nothing_speaks_for_a_finding_is_named() -> None:
    shown = replace(SHOWN, maps=hot("candidate", "champion", champion=0.0))
    row = made(decision(), shown).rows[0]
    assert list(row.maps) == ["candidate", "champion"] and row.silent == ("champion",)


def test_a_never_miss_case_is_shown_though_it_did_not_change() -> None:
    same = decision(flips=(Flips("golden", (), ("case-0001",)),))
    assert module.pictured(same, CASES) == ("case-0001", "case-0002")
    work = made(same, replace(SHOWN, maps=hot("candidate")))
    (row,) = work.unchanged
    assert row.case_id == "case-0002" and row.sentinel and row.against == ()
    assert row.picture is not None and list(row.maps) == ["candidate"]
    assert made(decision(), replace(SHOWN, maps=hot("candidate"))).unchanged == ()
    assert module.pictured(lost(300), CASES)[-1] == "case-0199"


def test_a_long_list_is_whole_between_rows_ids_and_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ROWS", 20)
    monkeypatch.setattr(module, "IDS", 30)
    work = made(lost(100))
    assert (work.lost, work.gained, work.total) == (100, 1, 101)
    assert (len(work.rows), len(work.ids), work.left_out) == (20, 30, 51)


def test_without_evidence_there_are_still_ids() -> None:
    work = made(decision(), None)
    assert [row.case_id for row in work.rows][0] == "case-0002"
    assert not work.models and not work.pictures and work.rows[0].sentinel


def test_a_case_without_a_picture_is_a_row_all_the_same() -> None:
    work = made(decision(), replace(SHOWN, picture=lambda _: None))
    assert len(work.rows) == 5 and not work.pictures


def test_common_attributes_have_columns_and_the_others_stay() -> None:
    many = {f"attribute{i}": "x" for i in range(9)}
    shown = evidence(case_set(400, **many))
    work = made(decision(), shown)
    assert len(work.attributes) == module.ATTRIBUTES
    rest = module.others(work.rows[0], work.attributes)
    assert set(work.attributes) | set(rest) == {*many, "device"}
