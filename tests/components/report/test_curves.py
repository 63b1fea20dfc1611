from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

from components.report.curves import MOST_POINTS, curves, judged_scores, roc
from components.report.evidence import ReportEvidence
from tests.components.report.making import case_set, evidence, scores

CASES = case_set(400)


def found(shown: ReportEvidence) -> list[str]:
    return [curve.model for curve in curves(shown, judged_scores(shown))]


def test_the_roc_of_four_scores_is_known() -> None:
    labels = np.array([True, True, False, False])
    x, y = roc(np.array([0.9, 0.6, 0.6, 0.1]), labels)
    assert x.tolist() == [0, 0, 0.5, 1] and y.tolist() == [0, 0.5, 1, 1]


def test_equal_scores_are_one_step() -> None:
    x, y = roc(np.full(6, 0.5), np.array([True, False] * 3))
    assert x.tolist() == [0, 1] and y.tolist() == [0, 1]


def test_a_thinned_roc_stays_close_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(1)
    labels = rng.random(50_000) < 0.3
    model = labels + rng.normal(size=labels.size)
    x, y = roc(model, labels)
    assert x.size <= MOST_POINTS
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    whole = [(model[~labels] >= t).mean() for t in np.quantile(model, np.linspace(0, 1, 99))]
    true = [(model[labels] >= t).mean() for t in np.quantile(model, np.linspace(0, 1, 99))]
    assert np.interp(whole, x, y) == pytest.approx(true, abs=2 / MOST_POINTS)


def test_the_operating_point_lies_on_the_curve() -> None:
    shown = evidence(CASES)
    for curve in curves(shown, judged_scores(shown)):
        near = np.abs(curve.false_positives - curve.at[0]) + np.abs(curve.sensitivity - curve.at[1])
        assert near.min() < 1e-12


def test_the_area_is_that_of_the_whole_curve() -> None:
    shown = evidence(CASES)
    for curve in curves(shown, judged_scores(shown)):
        assert trapezoid(curve.sensitivity, curve.false_positives) == pytest.approx(curve.auc)


def test_scores_in_another_order_give_the_same_curve() -> None:
    one = scores(CASES, seed=3)
    turned = replace(one, case_ids=one.case_ids[::-1], scores=one.scores[::-1])
    both = [ReportEvidence(CASES, {"candidate": s}) for s in (one, turned)]
    a, b = (curves(shown, judged_scores(shown))[0] for shown in both)
    assert a.sensitivity.tolist() == b.sensitivity.tolist() and a.histogram == b.histogram


def test_scores_that_are_no_probabilities_have_no_calibration() -> None:
    one = scores(CASES, seed=3)
    shown = ReportEvidence(CASES, {"candidate": replace(one, scores=one.scores * 9)})
    assert curves(shown, judged_scores(shown))[0].calibration is None


def test_a_model_with_nan_or_other_cases_is_left_out_with_its_reason() -> None:
    one = scores(CASES, seed=3)
    broken = one.scores.copy()
    broken[5] = np.nan
    short = replace(one, case_ids=one.case_ids[1:], scores=one.scores[1:])
    shown = ReportEvidence(
        CASES, {"candidate": one, "champion": replace(one, scores=broken), "golden": short}
    )
    assert found(shown) == ["candidate"]
    nan, missing = judged_scores(shown).faults
    assert "1 of 400 champion scores are NaN" in nan and "missing: 1 (case-0000)" in missing


def test_without_the_candidate_nothing_is_drawn() -> None:
    one = scores(CASES, seed=3)
    beyond = replace(one, operating_point=np.inf)
    assert found(ReportEvidence(CASES, {"champion": one})) == []
    assert found(ReportEvidence(CASES, {"candidate": beyond, "champion": one})) == []


def test_cases_of_one_kind_have_no_curve() -> None:
    assert found(evidence(case_set(3))) == []
