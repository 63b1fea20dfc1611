import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from components.records.errors import TooFewCases
from components.statistics.auc import _placements, auc, auc_difference
from components.statistics.intervals import clopper_pearson
from components.statistics.paired import tango
from tests.components.statistics.r_data import data_frame, package_folder

Floats = NDArray[np.float64]


def naive_components(scores: Floats, labels: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """DeLong's definition, pair by pair."""
    gap = scores[labels][:, None] - scores[~labels][None, :]
    wins = (gap > 0) + 0.5 * (gap == 0)
    return wins.mean(axis=1), wins.mean(axis=0)


def drawn(seed: int, n: int = 60, shift: float = 1.0) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(n) < n // 3
    truth = rng.normal(size=n) + shift * labels
    # Rounded, so that ties occur.
    return (truth + rng.normal(size=n)).round(1), (truth + rng.normal(size=n)).round(1), labels


@given(st.integers(0, 10**6))
def test_agrees_with_the_definition_pair_by_pair(seed: int) -> None:
    candidate, baseline, labels = drawn(seed)
    a10, a01 = naive_components(candidate, labels)
    b10, b01 = naive_components(baseline, labels)
    variance = (a10 - b10).var(ddof=1) / a10.size + (a01 - b01).var(ddof=1) / a01.size
    result = auc_difference(candidate, baseline, labels)
    assert result.estimate == pytest.approx(a10.mean() - b10.mean(), abs=1e-12)
    assert result.upper - result.lower == pytest.approx(2 * 1.959964 * variance**0.5, rel=1e-5)


def test_placements_are_the_components_of_both_classes() -> None:
    scores, _, labels = drawn(2)
    of_positives, of_negatives = naive_components(scores, labels)
    placements = _placements(scores, labels)
    assert placements[labels] == pytest.approx(of_positives, abs=1e-12)
    assert placements[~labels] == pytest.approx(of_negatives, abs=1e-12)


def test_order_of_cases_does_not_matter() -> None:
    candidate, baseline, labels = drawn(3)
    order = np.random.default_rng(0).permutation(labels.size)
    shuffled = auc_difference(candidate[order], baseline[order], labels[order])
    assert shuffled.lower == pytest.approx(auc_difference(candidate, baseline, labels).lower)


def test_swapping_the_models_mirrors() -> None:
    candidate, baseline, labels = drawn(4)
    ours = auc_difference(candidate, baseline, labels)
    theirs = auc_difference(baseline, candidate, labels)
    assert (ours.lower, ours.upper) == pytest.approx((-theirs.upper, -theirs.lower))


def test_identical_models_differ_by_nothing() -> None:
    candidate, _, labels = drawn(5)
    result = auc_difference(candidate, candidate, labels)
    assert result.estimate == 0 and result.lower < 0 < result.upper


def test_a_difference_without_variance_is_that_of_as_many_pairs() -> None:
    labels = np.array([True] * 5 + [False] * 6)
    perfect, tied = labels.astype(float), np.full(11, 0.3)
    same, better = auc_difference(tied, tied, labels), auc_difference(perfect, tied, labels)
    assert (same.lower, same.upper) == (tango(0, 0, 5).lower, tango(0, 0, 5).upper)
    # Half of 5 pairs gained, rounded outwards.
    assert better.estimate == 0.5
    assert (better.lower, better.upper) == (tango(2, 0, 5).lower, tango(3, 0, 5).upper)
    worse = auc_difference(tied, perfect, labels)
    assert (worse.lower, worse.upper) == (-better.upper, -better.lower)


def test_perfect_separation_of_few_cases_claims_no_certainty() -> None:
    labels = np.array([True] * 4 + [False] * 4)
    result = auc(labels.astype(float), labels)
    assert result.estimate == result.upper == 1
    assert result.lower == pytest.approx(0.025 ** (1 / 4))


def test_every_bound_is_that_of_the_error_rate_asked_for_and_within_the_range() -> None:
    labels = np.array([True] * 4 + [False] * 4)
    perfect, tied = labels.astype(float), np.full(8, 0.3)
    assert auc(perfect, labels, alpha=0.05).lower == pytest.approx(0.05 ** (1 / 4))
    assert auc(-perfect, labels, alpha=0.05).upper == pytest.approx(1 - 0.05 ** (1 / 4))
    same = auc_difference(tied, tied, labels, alpha=0.05)
    assert (same.lower, same.upper) == (
        tango(0, 0, 4, alpha=0.05).lower,
        tango(0, 0, 4, alpha=0.05).upper,
    )
    # One pair of 15 in the wrong order: the normal interval would reach beyond the end.
    scores = np.array([0.1, 0.2, 0.3, 0.35, 0.8, 0.75, 0.85, 0.9])
    labels = np.arange(8) > 4
    assert auc(scores, labels).upper == 1.0 and auc(-scores, labels).lower == 0.0
    assert auc_difference(scores, -scores, labels).upper == 1.0
    assert auc_difference(-scores, scores, labels).lower == -1.0
    narrow, wide = auc(scores, labels, alpha=0.05), auc(scores, labels)
    assert narrow.lower > wide.lower
    narrow = auc_difference(scores, tied, labels, alpha=0.05)
    assert narrow.lower > auc_difference(scores, tied, labels).lower


def test_all_scores_tied_is_a_half_with_room_on_both_sides() -> None:
    labels = np.array([True] * 10 + [False] * 10)
    result = auc(np.full(20, 0.3), labels)
    assert result.estimate == 0.5 and result.lower < 0.3 and result.upper > 0.7


def test_simulated_coverage_is_near_the_level() -> None:
    # For unit normals a shift of 1 apart, AUC is the normal distribution at 1 / sqrt(2).
    rng = np.random.default_rng(20250331)
    labels = np.arange(200) < 80
    missed = 0
    for _ in range(1500):
        result = auc(rng.normal(size=200) + labels, labels)
        missed += not result.lower <= 0.76025 <= result.upper
    assert 0.035 < missed / 1500 < 0.07


def test_test_of_no_difference_keeps_its_level() -> None:
    rng = np.random.default_rng(20250331)
    labels = np.arange(120) < 50
    rejected = 0
    for _ in range(1500):
        shared = rng.normal(size=120) + labels
        area = auc_difference(*(shared + rng.normal(size=(2, 120))), labels)
        assert area.p is not None
        rejected += area.p <= 0.05
    assert 0.035 < rejected / 1500 < 0.07


def test_test_and_interval_agree() -> None:
    for seed in range(40):
        area = auc_difference(*drawn(seed))
        assert area.z is not None and area.p is not None
        assert (area.p < 0.05) == (not area.lower <= 0 <= area.upper)
        assert np.sign(area.z) == np.sign(area.estimate)


def test_no_variance_and_a_single_area_have_no_test() -> None:
    candidate, _, labels = drawn(5)
    for area in (auc_difference(candidate, candidate, labels), auc(candidate, labels)):
        assert area.z is None and area.p is None


def test_agrees_with_proc_on_its_own_data() -> None:
    package = package_folder("pROC")
    if package is None:
        pytest.skip("pROC's aSAH data (GPL) are not installed: apt-get install r-cran-proc")
    data = data_frame(package, "aSAH")
    labels = np.array(data["outcome"]) == "Poor"
    area = auc_difference(np.array(data["wfns"], float), np.array(data["s100b"]), labels)
    # roc.test(aSAH$outcome, aSAH$wfns, aSAH$s100b) of pROC, Robin et al. (2011), BMC
    # Bioinformatics 12:77.
    assert area.z is not None and area.p is not None
    assert (round(area.z, 8), round(area.p, 8)) == (2.20898359, 0.02717578)
    assert (area.positives, area.negatives) == (41, 72)


def patients(seed: int, count: int = 40) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray]:
    """Several images each of `count` patients, of both classes, alike within a patient."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(count), rng.integers(1, 6, count))
    labels = rng.random(clusters.size) < rng.beta(1, 1, count)[clusters]
    patient = rng.normal(size=count)[clusters]
    ours, theirs = labels + patient + rng.normal(size=(2, clusters.size))
    return ours.round(1), theirs.round(1), labels, clusters


@given(st.integers(0, 10**6))
def test_clusters_agree_with_obuchowski_summed_pair_by_pair(seed: int) -> None:
    candidate, baseline, labels, clusters = patients(seed)
    a10, a01 = naive_components(candidate, labels)
    b10, b01 = naive_components(baseline, labels)
    x, y = a10 - b10, a01 - b01
    m, n, both, of_x, of_y = x.size, y.size, [], [], []
    for each in np.unique(clusters):
        mine_x, mine_y = clusters[labels] == each, clusters[~labels] == each
        deviation_x = (x[mine_x] - x.mean()).sum()
        deviation_y = (y[mine_y] - y.mean()).sum()
        both.append(deviation_x * deviation_y)
        of_x += [deviation_x**2] if mine_x.any() else []
        of_y += [deviation_y**2] if mine_y.any() else []
    s10 = len(of_x) / (len(of_x) - 1) / m * sum(of_x)
    s01 = len(of_y) / (len(of_y) - 1) / n * sum(of_y)
    s11 = len(both) / (len(both) - 1) * sum(both)
    variance = s10 / m + s01 / n + 2 * s11 / (m * n)
    area = auc_difference(candidate, baseline, labels, clusters=clusters)
    assert area.z == pytest.approx(area.estimate / variance**0.5, rel=1e-9)


def test_every_case_a_patient_of_its_own_equals_no_patients() -> None:
    candidate, baseline, labels = drawn(6)
    own = np.random.default_rng(0).permutation(labels.size) * 1000
    plain = auc_difference(candidate, baseline, labels)
    assert auc_difference(candidate, baseline, labels, clusters=own) == plain
    assert auc(candidate, labels, clusters=own) == auc(candidate, labels)
    perfect = labels.astype(float)
    assert auc(perfect, labels, clusters=own) == auc(perfect, labels)


def test_copied_cases_add_no_certainty() -> None:
    candidate, baseline, labels = drawn(6)
    once = auc_difference(candidate, baseline, labels)
    copied = (np.repeat(each, 5) for each in (candidate, baseline, labels))
    area = auc_difference(*copied, clusters=np.repeat(np.arange(labels.size), 5))
    assert (area.lower, area.upper) == pytest.approx((once.lower, once.upper))


def test_clustered_coverage_holds_where_the_naive_one_does_not() -> None:
    naive = clustered = 0
    # Scores 1 apart whose difference has a standard deviation of 2: the normal distribution at 1/2.
    # (The few pairs within a patient are easier and count for nothing here.)
    truth = 0.69146
    for seed in range(800):
        scores, _, labels, clusters = patients(seed, 60)
        plain, area = auc(scores, labels), auc(scores, labels, clusters=clusters)
        naive += not plain.lower <= truth <= plain.upper
        clustered += not area.lower <= truth <= area.upper
    assert 0.03 < clustered / 800 < 0.08
    assert naive / 800 > 0.1


def test_perfect_separation_counts_patients_not_images() -> None:
    labels = np.arange(80) < 40
    area = auc(labels.astype(float), labels, clusters=np.arange(80) // 10)
    assert area.lower == pytest.approx(0.025 ** (1 / 4))


def test_patients_that_are_all_alike_leave_no_variance_but_for_rounding() -> None:
    # Seven times the same images: a variance of 2e-33 is none, and three pairs can be formed.
    scores = np.tile([0.2, 0.6, 0.7, 0.1, 0.3, 0.65, 0.66], 7)
    labels = np.tile(np.arange(7) < 3, 7)
    area = auc(scores, labels, clusters=np.repeat(np.arange(7), 7))
    bounds = clopper_pearson([1, 2], 3)  # .583 of 3 pairs, rounded outwards
    assert (area.lower, area.upper) == (bounds.lower[0], bounds.upper[1])


@pytest.mark.parametrize("count", [10, 11])
def test_an_independent_pair_takes_two_patients(count: int) -> None:
    # Ten patients with images of both classes make five pairs, and so do eleven.
    labels = np.arange(2 * count) < count
    area = auc(labels.astype(float), labels, clusters=np.arange(2 * count) % count)
    assert area.lower == pytest.approx(0.025 ** (1 / 5))


def test_two_patients_of_each_class_are_enough() -> None:
    scores, labels = np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False])
    once = auc(scores, labels)
    area = auc(np.repeat(scores, 3), np.repeat(labels, 3), clusters=np.arange(12) // 3)
    # Placements 1, .5 and 1, .5: a variance of .0625 on each side.
    assert once.estimate == 0.75 and once.lower == pytest.approx(0.75 - 1.959964 * 0.125**0.5)
    assert (area.estimate, area.lower) == pytest.approx((once.estimate, once.lower))


def test_a_class_of_a_single_patient_is_an_error() -> None:
    labels = np.arange(20) < 10
    with pytest.raises(TooFewCases, match="1 and negatives of 10 patients"):
        auc(np.arange(20.0), labels, clusters=np.where(labels, 0, np.arange(20)))


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_a_class_with_fewer_than_two_cases_is_an_error(positives: int) -> None:
    with pytest.raises(TooFewCases, match=f"{positives} positive"):
        auc(np.arange(10.0), np.arange(10) < positives)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        auc(np.array([0.1, np.nan, 0.3, 0.4]), np.array([True, False, True, False]))


FOUR = np.array([0.1, 0.6, 0.3, 0.9])
MIXED = np.array([True, False, True, False])


@pytest.mark.parametrize(
    "scores, labels",
    [(FOUR, MIXED[:3]), (FOUR, MIXED.astype(int)), (FOUR.reshape(2, 2), MIXED.reshape(2, 2))],
)
def test_what_is_no_label_of_each_score_is_refused(scores: Floats, labels: NDArray) -> None:
    with pytest.raises(ValueError, match="bool labels of one shape"):
        auc(scores, labels)
