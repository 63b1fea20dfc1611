import numpy as np
import pytest

from tests.measure.damage import SERVED, flipped, halved, thinned


def pixels() -> np.ndarray:
    return np.random.default_rng(1).random((3, 8, 8, 1)).astype(np.float32)


@pytest.mark.parametrize("name", SERVED)
def test_wrong_pixels_keep_shape_type_and_range_and_differ(name: str) -> None:
    given = pixels()
    changed = SERVED[name](given)
    assert (changed.shape, changed.dtype) == (given.shape, given.dtype)
    assert changed.min() >= 0.0
    assert changed.max() <= 1.0
    assert not np.array_equal(changed, given)


def test_half_the_resolution_is_the_mean_of_four_pixels() -> None:
    given = pixels()
    assert halved(given)[0, 0, 1, 0] == pytest.approx(given[0, :2, :2, 0].mean())


def test_the_share_of_the_labels_that_was_asked_for_is_flipped() -> None:
    labels = np.zeros(10_000, np.float32)
    assert flipped(labels, 0.2).mean() == pytest.approx(0.2, abs=0.02)
    assert np.array_equal(flipped(labels, 0.0), labels)


def test_thinning_keeps_distinct_rows_in_order() -> None:
    rows = thinned(1000, 0.25)
    assert rows.size == 250
    assert (np.diff(rows) > 0).all()
