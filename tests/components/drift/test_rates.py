from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from components.drift.findings import NOT_ENOUGH, Chart
from components.drift.permutation import fisher_lower
from components.drift.rates import (
    FEWEST_IN_PERIOD,
    FEWEST_LABELLED,
    IN_CONTROL,
    JUDGED_PERIODS,
    SENSITIVITY,
    SIGNAL,
    SPECIFICITY,
    CallShare,
    control_charts,
    judged,
    lowest_in_control,
    point_alpha,
    rate,
    right_share,
    shift_of_performance,
    shift_of_positive_rate,
)
from components.drift.sample import Sample
from components.statistics.intervals import clopper_pearson
from tests.components.drift.making import drawn, joined, unlabelled

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


MONDAYS = ("2025-03-03", "2025-03-10", "2025-03-17", "2025-03-24", "2025-03-31", "2025-04-07")


def weeks(*right: float, cases: int = 300) -> Sample:
    """A history in which this share of calls was right, week by week."""
    return joined(
        *(
            drawn(10 + week, cases, right=share, monday=MONDAYS[week])
            for week, share in enumerate(right)
        )
    )


def charts(history: Sample, reference: Sample = REFERENCE, alpha: float = 0.01) -> dict[str, Chart]:
    made = control_charts(reference, history, alpha=alpha, period_days=7)
    return {chart.name: chart for chart in made}


def test_a_week_of_losses_signals_and_is_named_by_its_monday() -> None:
    chart = charts(weeks(0.95, 0.95, 0.75))["sensitivity"]
    assert chart.signal
    assert {point.start: point.state for point in chart.points} == {
        "2025-03-03": IN_CONTROL,
        "2025-03-10": IN_CONTROL,
        "2025-03-17": SIGNAL,
    }


def test_getting_better_is_no_alarm_and_shows_above_its_limit() -> None:
    worse = drawn(1, 2000, right=0.8)
    chart = charts(weeks(1.0), reference=worse)["specificity"]
    assert not chart.signal
    (point,) = chart.points
    assert point.state == IN_CONTROL
    assert point.estimate is not None and point.upper is not None
    assert point.estimate > point.upper


def test_a_signal_is_a_share_below_the_lower_limit() -> None:
    for chart in charts(weeks(0.95, 0.9, 0.85, 0.8)).values():
        for point in chart.points:
            assert point.estimate is not None and point.lower is not None
            assert (point.state == SIGNAL) == (point.estimate < point.lower)


def test_the_lowest_count_in_control_is_no_signal_and_one_less_is() -> None:
    history = weeks(1.0).where(weeks(1.0).labels == 1)
    target = right_share(REFERENCE, "sensitivity")
    lowest = lowest_in_control(len(history), target, point_alpha(0.01))
    for right, state in ((lowest, IN_CONTROL), (lowest - 1, SIGNAL)):
        called = replace(history, positive=np.arange(len(history)) < right)
        assert [point.state for point in charts(called)["sensitivity"].points] == [state]


def test_what_signalled_long_ago_is_shown_and_no_longer_alarms() -> None:
    late = charts(weeks(0.7, 0.95, 0.95, 0.95, 0.95))["specificity"]
    assert late.points[0].state == SIGNAL and not late.signal
    assert charts(weeks(0.7, 0.95, 0.95, 0.95))["specificity"].signal
    assert len(judged(late)) == JUDGED_PERIODS == 4


def test_too_few_labelled_cases_in_a_week_is_not_enough_data() -> None:
    few = charts(weeks(0.0, cases=FEWEST_IN_PERIOD))["sensitivity"]
    assert [point.state for point in few.points] == [NOT_ENOUGH]
    assert few.points[0].lower is None and not few.signal


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(drawn(1, 29, ill=1.0), id="too few cases"),
        pytest.param(drawn(1, 2000, right=0.01), id="a target so low that no count would signal"),
        pytest.param(unlabelled(REFERENCE), id="no label"),
    ],
)
def test_a_reference_that_says_too_little_is_not_enough_data(reference: Sample) -> None:
    chart = charts(weeks(0.95), reference=reference)["sensitivity"]
    assert [point.state for point in chart.points] == [NOT_ENOUGH]
    assert not chart.signal


def test_only_cases_with_a_label_and_a_time_count() -> None:
    history = weeks(0.95)
    assert charts(unlabelled(history))["sensitivity"].points == ()
    timeless = replace(history, at=np.full(len(history), np.datetime64("NaT", "ms")))
    assert charts(timeless)["sensitivity"].points == ()


def test_weeks_change_on_monday_at_midnight_utc_in_every_year() -> None:
    history = weeks(0.95).where(np.arange(300) < 2)
    ends = np.array(["2024-12-29T23:59:59.999", "2024-12-30T00:00:00.000"], dtype="M8[ms]")
    chart = charts(replace(history, at=ends))["sensitivity"]
    assert [point.start for point in chart.points] == ["2024-12-23", "2024-12-30"]


@pytest.mark.parametrize("cases, right, of", [(40, 190, 200), (200, 570, 600), (25, 100, 100)])
def test_the_limit_is_the_lowest_count_that_is_no_accident(cases: int, right: int, of: int) -> None:
    target = CallShare(right, of)
    lowest = lowest_in_control(cases, target, 0.001)
    assert fisher_lower(lowest, cases, right, of) > 0.001
    assert fisher_lower(lowest - 1, cases, right, of) <= 0.001


@pytest.mark.parametrize("truth", [0.8, 0.93, 0.98])
@pytest.mark.parametrize("reference_cases, cases", [(150, 40), (600, 60), (1000, 300)])
def test_false_alarms_of_a_point_keep_their_probability_whatever_the_truth(
    truth: float, reference_cases: int, cases: int
) -> None:
    # Not simulated but summed, over every reference and every week there can be.
    alpha = 0.01
    counts = np.arange(reference_cases + 1)
    chance = binom.pmf(counts, reference_cases, truth)
    alarms = sum(
        chance[right]
        * binom.cdf(
            lowest_in_control(cases, CallShare(int(right), reference_cases), alpha) - 1,
            cases,
            truth,
        )
        for right in counts[chance > 1e-7]
    )
    assert alarms <= alpha
    if (cases, truth) != (40, 0.98):  # one count of 40 more is too many
        assert alarms > alpha / 12  # and it is not so rare that nothing would ever signal


def test_all_judged_points_of_both_charts_share_the_probability() -> None:
    assert point_alpha(0.01) * 2 * JUDGED_PERIODS == pytest.approx(0.01)
    source = charts(weeks(0.95))["sensitivity"].source
    assert "Woodall 2006" in source and f"{point_alpha(0.01):.2g} at most" in source
