from dataclasses import replace

import numpy as np
import pytest

from components.drift.findings import NOT_ENOUGH
from components.drift.rates import (
    FEWEST_LABELLED,
    SENSITIVITY,
    SPECIFICITY,
    CallShare,
    rate,
    right_share,
    shift_of_performance,
    shift_of_positive_rate,
)
from components.drift.sample import Sample
from components.statistics.intervals import clopper_pearson
from tests.components.drift.making import drawn, unlabelled

REFERENCE = drawn(1, 2000)


def called(sample: Sample, positive: bool) -> Sample:
    return replace(sample, positive=np.full(len(sample), positive))


def test_shares_count_right_calls_of_their_own_class() -> None:
    sample = replace(
        drawn(1, 5),
        labels=np.array([1, 1, 0, 0, -1], dtype=np.int8),
        positive=np.array([True, False, False, False, True]),
    )
    assert right_share(sample, SENSITIVITY) == CallShare(1, 2)
    assert right_share(sample, SPECIFICITY) == CallShare(2, 2)


def test_a_rate_has_its_exact_interval_and_none_where_no_case_counts() -> None:
    made, interval = rate("positive_rate", CallShare(7, 20)), clopper_pearson(7, 20)
    assert (made.estimate, made.lower, made.upper) == (0.35, interval.lower, interval.upper)
    assert rate("sensitivity", CallShare(0, 0)).estimate is None


def test_the_positive_rate_moves_either_way() -> None:
    for positive in (True, False):
        shift = shift_of_positive_rate(REFERENCE, called(drawn(2, 300), positive), 200)
        assert shift.value is not None and shift.value > 0.3
        assert shift.p_value is not None and shift.p_value < 1e-9
    assert shift.words.endswith("0.0% now")


def test_a_positive_rate_of_too_few_cases_is_not_enough_data() -> None:
    shift = shift_of_positive_rate(REFERENCE, drawn(2, 199), 200)
    assert (shift.state, shift.value, shift.p_value) == (NOT_ENOUGH, None, None)
    assert shift.words == "2000 reference and 199 served cases, wanted 200 of each"


@pytest.mark.parametrize("name", [SENSITIVITY, SPECIFICITY])
def test_only_a_fall_of_performance_counts_as_a_shift(name: str) -> None:
    worse = shift_of_performance(name, REFERENCE, drawn(2, 400, right=0.7))
    better = shift_of_performance(name, REFERENCE, drawn(2, 400, right=1.0))
    assert worse.value is not None and worse.value > 0.15
    assert worse.p_value is not None and worse.p_value < 1e-6
    assert better.value is not None and better.value < 0
    assert better.p_value is not None and better.p_value > 0.5


def test_performance_without_labels_is_not_enough_data() -> None:
    for few in (unlabelled(drawn(2, 400)), drawn(2, FEWEST_LABELLED)):
        shift = shift_of_performance(SENSITIVITY, REFERENCE, few)
        assert (shift.state, shift.value, shift.p_value) == (NOT_ENOUGH, None, None)
        assert f"wanted {FEWEST_LABELLED} of each" in shift.words
