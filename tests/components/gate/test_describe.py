"""What a decision shows beside its checks: which slices, and what counts as a regression."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import lock_cases
from components.gate.describe import describe_operating_point
from components.scoring.reference import write_reference
from tests.components.gate.test_decide import CASES, MARGIN, judged
from tests.components.planting import check, locked, policy, scored, seen_case


def test_a_slice_that_lacks_one_class_is_shown_for_the_other() -> None:
    placed = [(1, "Aster"), (0, "Aster"), (0, "Boreal"), (0, "Boreal")] * 5
    cases = lock_cases(
        [seen_case(i, label, device=device) for i, (label, device) in enumerate(placed)],
        name="planted", author="A", reason="test", date="2025-03-31", source="planted",
    )  # fmt: skip
    decision = judged(scored(cases), case_set=cases, rules=policy(check(floor=0.1)))
    for shown in (decision.slices, decision.comparisons):
        assert {one.metric for one in shown if one.slice == "device=Boreal"} == {"specificity"}


def test_a_judged_slice_is_compared_and_described_only_where_asked() -> None:
    rules = replace(policy(check(floor=0.5, device="Aster")), descriptive_slices=())
    decision = judged(rules=rules)
    assert {row.slice for row in decision.slices} == {"overall"}
    assert {one.slice for one in decision.comparisons} == {"overall", "device=Aster"}


# Where 6 cases are lost and none is gained, the exact p value is 2 / 2**6.
@pytest.mark.parametrize("alpha, regressed", [(1 / 64, True), (0.015, False)])
def test_a_loss_is_a_regression_up_to_the_error_rates_of_both_sides(
    alpha: float, regressed: bool
) -> None:
    cases = locked(20, 0)
    rules = replace(policy(check(floor=0.1)), alpha=alpha, descriptive_slices=())
    decision = judged(scored(cases, wrong=range(6)), rules=rules, case_set=cases)
    for comparison in decision.comparisons:
        assert (comparison.holm, comparison.regressed) == (1 / 32, regressed)


def test_the_calibration_line_has_the_error_rate_of_the_policy() -> None:
    strict, lax = (
        next(
            row
            for row in judged(
                scored(CASES, wrong=range(0, 400, 9)), rules=replace(MARGIN, alpha=alpha)
            ).slices
            if row.metric == "calibration_slope"
        )
        for alpha in (0.025, 0.05)
    )
    assert strict.lower < lax.lower < lax.upper < strict.upper


def test_equal_scores_and_an_absent_champion_are_remarked_and_nothing_else() -> None:
    assert judged().findings == (
        "every score equals the champion's, to the last bit",
        "every score equals the golden's, to the last bit",
    )
    first = judged(scored(CASES, wrong=[1]), champion=None)
    assert first.findings == ("no champion: nothing is released yet",)


@pytest.mark.parametrize("per", [1, 2])
def test_an_operating_point_is_told_with_what_it_rests_on(tmp_path: Path, per: int) -> None:
    rows = [
        {"case_id": f"c{n}", "patient_id": f"p{n // per}", "label": int(n < 8)}
        | {"numbers": {}, "words": {}}
        for n in range(12)
    ]
    scores = {f"c{n}": 0.9 if n < 7 else 0.1 for n in range(12)}
    write_reference(tmp_path / "r.npz", rows, scores=scores, operating_point=0.5)
    (told,) = describe_operating_point(tmp_path / "r.npz")
    assert "0.5000" in told and "8 positive" in told and f"{8 // per} patients" in told
    assert "0.875" in told and ("0.473 to 0.997" in told) is (per == 1)
    write_reference(tmp_path / "r.npz", rows, scores=scores, operating_point=float("nan"))
    assert describe_operating_point(tmp_path / "r.npz") == []


def test_attributes_that_no_case_has_are_one_note() -> None:
    rules = replace(policy(check(floor=0.5)), descriptive_slices=("device", "moon", "tide", "wind"))
    notes = [note for note in judged(rules=rules).findings if "no case has" in note]
    assert len(notes) == 1 and "'moon', 'tide', 'wind'" in notes[0]
