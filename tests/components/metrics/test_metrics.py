import json
from dataclasses import replace

import numpy as np
import pytest

from components.metrics import METRICS, Outputs
from components.records.errors import NothingEvaluated, TooFewCases
from components.records.schema import SCHEMAS

LABELS = np.array([True] * 6 + [False] * 6)
SCORES = np.array([0.9, 0.8, 0.7, 0.5, 0.2, 0.1, 0.9, 0.1, 0.2, 0.3, 0.4, 0.45])
MODEL = Outputs(LABELS, SCORES, operating_point=0.5)


def test_values_by_hand() -> None:
    values = {
        name: metric.estimate(MODEL, alpha=0.025, method=metric.methods[0]).estimate
        for name, metric in METRICS.items()
    }
    gap = SCORES[:6, None] - SCORES[None, 6:]
    assert values["auc"] == pytest.approx(((gap > 0) + 0.5 * (gap == 0)).mean())
    assert values["sensitivity"] == 4 / 6 and values["specificity"] == 5 / 6
    assert values["brier"] == pytest.approx(np.square(SCORES - LABELS).mean())
    # Fifteen bins for twelve cases: each distinct score is a bin of its own.
    shares = {score: LABELS[score == SCORES].mean() for score in set(SCORES)}
    assert values["ece"] == pytest.approx(np.mean([abs(s - shares[s]) for s in SCORES]))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_calibration_of_what_is_no_probability_is_an_error(name: str, bad: float) -> None:
    metric = METRICS[name]
    if metric.higher_is_better:
        return
    model = Outputs(LABELS, np.append(SCORES[1:], bad), 0.5)
    with pytest.raises(NothingEvaluated, match="probabilities"):
        metric.estimate(model, alpha=0.025, method=metric.methods[0])


def test_a_patient_is_positive_and_scored_by_its_worst_image() -> None:
    model = Outputs(np.array([False, True, False]), np.array([0.1, 0.4, 0.7]), 0.5)
    patients = model.by_patient(np.array([7, 3, 7]))
    assert patients.labels.tolist() == [True, False] and patients.scores.tolist() == [0.4, 0.7]


@pytest.mark.parametrize("name", METRICS)
def test_images_of_few_patients_widen_every_interval(name: str) -> None:
    metric = METRICS[name]
    many = Outputs(np.tile(LABELS, 20), np.tile(SCORES, 20), 0.5)
    clustered = Outputs(many.labels, many.scores, 0.5, np.tile(np.arange(12), 20))
    wide = metric.estimate(clustered, alpha=0.025, method=metric.methods[0])
    narrow = metric.estimate(many, alpha=0.025, method=metric.methods[0])
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.upper - wide.lower > narrow.upper - narrow.lower
    worse = np.where(many.labels, 0.9 * many.scores, 1 - 0.9 * (1 - many.scores))
    method = metric.paired_methods[0]
    wide, narrow = (
        metric.change(replace(model, scores=worse), model, alpha=0.025, method=method)
        for model in (clustered, many)
    )
    assert wide.upper - wide.lower > narrow.upper - narrow.lower


def test_a_score_at_the_operating_point_is_a_positive_call() -> None:
    assert MODEL.right[3]
    assert not Outputs(LABELS, SCORES, operating_point=np.nextafter(0.5, 1)).right[3]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_blind_to_the_order_of_cases(name: str) -> None:
    order = np.random.default_rng(1).permutation(12)
    shuffled = Outputs(LABELS[order], SCORES[order], 0.5)
    metric = METRICS[name]
    ours = metric.estimate(MODEL, alpha=0.025, method=metric.methods[0])
    theirs = metric.estimate(shuffled, alpha=0.025, method=metric.methods[0])
    assert theirs.lower == pytest.approx(ours.lower) and theirs.n == ours.n


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_changes_by_nothing_against_itself(name: str) -> None:
    method = METRICS[name].paired_methods[0]
    change = METRICS[name].change(MODEL, MODEL, alpha=0.025, method=method)
    assert change.estimate == 0 and change.lower < 0 < change.upper


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_a_worse_model_gets_worse(name: str) -> None:
    worse = Outputs(LABELS, np.where(LABELS, 0.3 * SCORES, 1 - 0.3 * SCORES), 0.5)
    metric = METRICS[name]
    change = metric.change(worse, MODEL, alpha=0.025, method=metric.paired_methods[0]).estimate
    assert change < 0 if metric.higher_is_better else change > 0


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_without_its_cases_is_an_error(name: str) -> None:
    metric = METRICS[name]
    absent = {"positives": ~LABELS, "negatives": LABELS}.get(metric.judges, LABELS & ~LABELS)
    with pytest.raises(TooFewCases):
        metric.estimate(MODEL.where(absent), alpha=0.025, method=metric.methods[0])


def test_the_policy_schema_names_exactly_the_metrics_there_are() -> None:
    schema = json.loads((SCHEMAS / "gate_policy.json").read_text())
    assert set(schema["$defs"]["check"]["properties"]["metric"]["enum"]) == set(METRICS)
