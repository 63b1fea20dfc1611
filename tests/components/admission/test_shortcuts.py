"""Features that go with the label or the split: planted ones are named, disease alone is not."""

import json

import numpy as np
import pytest
from scipy import stats

from components.admission.columns import CaseColumns
from components.admission.shortcuts import Association, find_associations

N = 400
LABELS = np.arange(N) % 2 == 1
RANDOM = np.random.default_rng(7)


def columns(*, labels=LABELS, splits=None, figures=None, attributes=None) -> CaseColumns:  # type: ignore[no-untyped-def]
    named = {"": np.full(len(labels), "train") if splits is None else splits, **(attributes or {})}
    texts, places = np.unique([*named.values()], return_inverse=True)
    in_split, *of_attributes = places.reshape(len(named), -1)
    return CaseColumns(
        texts,
        in_split,
        labels,
        np.zeros((len(labels), 64), np.uint8),
        dict(zip(attributes or {}, of_attributes)),
        figures or {},
    )


def found(given: CaseColumns, **changed: object) -> list[Association]:
    limits = {"effect": 0.5, "alpha": 0.01, **changed}
    return find_associations(given, **limits)  # type: ignore[arg-type]


def test_a_figure_that_separates_the_classes_has_effect_one() -> None:
    (one,) = found(columns(figures={"frame": np.where(LABELS, 1.0, -1.0) + RANDOM.random(N)}))
    assert (one.feature, one.group, one.measure, one.effect) == (
        "frame",
        "label",
        "rank-biserial",
        1,
    )
    assert one.found and one.p < 1e-20


def test_the_sign_says_who_has_more() -> None:
    (one,) = found(columns(figures={"mean": np.where(LABELS, -1.0, 1.0) + RANDOM.random(N)}))
    assert one.effect == -1


def test_ties_count_half_as_in_the_area_under_the_curve() -> None:
    values = np.round(RANDOM.normal(LABELS * 0.7, 1.0) * 4)
    (one,) = found(columns(figures={"entropy_bits": values}))
    pairs = values[LABELS][:, None] - values[~LABELS][None, :]
    exact = np.mean(pairs > 0) - np.mean(pairs < 0)
    assert one.effect == pytest.approx(exact, abs=1e-12)
    tested = stats.mannwhitneyu(values[LABELS], values[~LABELS], use_continuity=False)
    assert one.p == pytest.approx(tested.pvalue, rel=1e-9)


def test_bits_and_sizes_are_categories() -> None:
    """All positives 12 bit, all negatives 8: no order is needed to see it."""
    (one,) = found(columns(figures={"bits": np.where(LABELS, 12.0, 8.0)}))
    assert one.measure == "Cramér's V" and one.effect == pytest.approx(1, abs=0.01) and one.found
    assert "'12' in 100% of positives, 0% of negatives" in one.detail


def test_what_is_found_can_be_written_as_json() -> None:
    ranked, counted = RANDOM.random(N), np.where(LABELS, 12.0, 8.0)
    both = found(columns(figures={"mean": ranked, "bits": counted}))
    assert {row["found"] for row in json.loads(json.dumps([o.document() for o in both]))} == {
        True,
        False,
    }


def test_three_sizes_without_an_order_are_seen() -> None:
    widths = np.where(LABELS, np.where(np.arange(N) % 4 == 1, 100.0, 300.0), 200.0)
    (one,) = found(columns(figures={"width": widths}))
    assert one.effect > 0.95 and one.found


def test_an_attribute_that_goes_with_the_label_is_named() -> None:
    device = np.where(LABELS, "Aster", "Boreal")
    site = np.where(RANDOM.random(N) < 0.5, "Ulm", "Bonn")
    named = [
        one.feature
        for one in found(columns(attributes={"device": device, "site": site}))
        if one.found
    ]
    assert named == ["device"]


def test_an_attribute_that_only_one_class_has_is_named() -> None:
    (one,) = found(columns(attributes={"report": np.where(LABELS, "yes", "")}))
    assert one.found


def test_what_is_ignored_or_the_same_in_all_is_left_out() -> None:
    given = columns(
        figures={"width": np.full(N, 224.0)},
        attributes={"aetiology": np.where(LABELS, "viral", "none")},
    )
    assert found(given, ignore=("aetiology",)) == []


def test_an_attribute_that_names_each_case_is_left_out() -> None:
    assert found(columns(attributes={"series": np.array([f"s{i}" for i in range(N)])})) == []


@pytest.mark.parametrize("split", ["tune", "test"])
def test_a_split_of_other_pictures_is_named(split: str) -> None:
    splits = np.where(np.arange(N) < 300, "train", split)
    sizes = np.where(splits == "train", 2000.0, 1000.0) + RANDOM.random(N)
    (one,) = [
        each for each in found(columns(splits=splits, figures={"width": sizes})) if each.found
    ]
    assert (one.feature, one.group, one.effect) == ("width", split, -1)
    assert f"{split} against train" in one.words


def test_the_label_is_held_against_training_cases_alone() -> None:
    splits = np.where(np.arange(N) < 300, "train", "test")
    figure = np.where(splits == "test", LABELS * 100.0, 0.0) + RANDOM.random(N)
    assert not [one for one in found(columns(splits=splits, figures={"mean": figure})) if one.found]


def test_chance_alone_is_named_in_no_run_of_forty() -> None:
    for seed in range(40):
        random = np.random.default_rng(seed)
        figures = {f"f{i}": random.normal(size=N) for i in range(15)}
        assert not [one for one in found(columns(figures=figures), effect=0.1) if one.found]


def test_a_large_effect_in_few_cases_is_not_significant() -> None:
    labels = np.array([True] * 20 + [False] * 20)
    values = np.random.default_rng(1).normal(labels * 0.4, 1.0)
    (one,) = found(columns(labels=labels, figures={"mean": values}), effect=0.05)
    assert one.p > 0.01 and not one.found


def test_p_values_are_adjusted_over_all_features() -> None:
    values = np.random.default_rng(3).normal(LABELS * 0.3, 1.0)
    noise = {f"f{i}": np.random.default_rng(50 + i).normal(size=N) for i in range(9)}
    (alone,) = found(columns(figures={"mean": values}))
    among = next(
        o for o in found(columns(figures={"mean": values, **noise})) if o.feature == "mean"
    )
    assert among.p == pytest.approx(10 * alone.p)


def test_too_few_cases_of_a_class_are_compared_with_nothing() -> None:
    labels = np.arange(N) < 19
    assert found(columns(labels=labels, figures={"mean": labels * 1.0 + RANDOM.random(N)})) == []


def test_cramers_v_is_that_of_the_field_corrected_for_bias() -> None:
    device = RANDOM.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])
    device[:80] = np.where(LABELS[:80], "a", "b")
    (one,) = found(columns(attributes={"device": device}))
    table = np.array([[np.sum((device == v) & (side == LABELS)) for v in "abc"] for side in (0, 1)])
    plain = stats.contingency.association(table, method="cramer")
    assert plain - 0.02 < one.effect < plain
