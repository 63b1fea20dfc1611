import numpy as np
import pytest

from components.drift.histograms import histogram_of_numbers, histogram_of_words

RNG = np.random.default_rng(1)


def test_both_samples_share_bins_that_hold_every_case() -> None:
    reference, current = RNG.normal(size=900), RNG.normal(3, 1, size=100)
    histogram = histogram_of_numbers(reference, current)
    assert histogram.edges is not None
    assert len(histogram.edges) == len(histogram.names) + 1 == 21
    assert histogram.edges[0] == reference.min() and histogram.edges[-1] == current.max()
    assert sum(histogram.reference) == pytest.approx(1) == pytest.approx(sum(histogram.current))


def test_an_odd_value_does_not_squeeze_the_others_into_one_bin() -> None:
    histogram = histogram_of_numbers(np.append(RNG.normal(size=900), 1e6), RNG.normal(size=100))
    assert sum(share > 0.01 for share in histogram.reference) > 10


@pytest.mark.parametrize("value", [0.0, 64.0, -1e-9])
def test_one_value_alone_is_one_bin_around_it(value: float) -> None:
    histogram = histogram_of_numbers(np.full(9, value), np.full(5, value))
    assert histogram.edges is not None
    assert histogram.edges[0] < value < histogram.edges[1]
    assert (histogram.reference, histogram.current) == ((1.0,), (1.0,))


def test_words_keep_their_names_and_have_no_edges() -> None:
    histogram = histogram_of_words(("a", "b"), np.array([3, 1]), np.array([0, 2]))
    assert (histogram.names, histogram.edges) == (("a", "b"), None)
    assert (histogram.reference, histogram.current) == ((0.75, 0.25), (0.0, 1.0))
