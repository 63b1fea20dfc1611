"""The figures of maps: known ones first, then whether real maps follow lesions and find a mark."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from components.phantom.source import CASE_SET_CASES
from tests.measure.explanations import (
    HONESTLY,
    SHORTCUT,
    attention,
    drawn_lesions,
    maps_of,
    randomized_from_the_top,
    rank_correlation,
    trained,
)
from tests.measure.training import read_split

pytestmark = pytest.mark.tensorflow


def test_a_mean_is_taken_of_the_maps_that_have_heat() -> None:
    places = np.zeros((2, 8, 8), np.bool_)
    places[:, :2, :2] = True  # the first of 4 x 4 cells
    heat = np.zeros((2, 4, 4), np.float32)
    heat[0, 0, 0] = heat[0, 3, 3] = 1.0
    found = attention(heat, places)
    assert (found.n, found.heat, found.area) == (1, 0.5, 1 / 16)


def test_ranks_agree_turn_round_or_say_nothing() -> None:
    ramp = np.arange(32, dtype=np.float32).reshape(2, 4, 4)
    assert rank_correlation(ramp, ramp**3) == pytest.approx(1.0)
    assert rank_correlation(ramp, -ramp) == pytest.approx(-1.0)
    flat = ramp.copy()
    flat[1] = 1.0
    assert rank_correlation(ramp, flat) == pytest.approx(1.0)


def test_layers_are_spoilt_from_the_top_one_after_the_other_and_the_network_is_not() -> None:
    pixels = keras.Input((8, 8, 1))
    hidden = keras.layers.Conv2D(16, 3, name="low")(pixels)
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    top = keras.layers.Dense(1, activation="sigmoid", name="top")(pooled)
    network = keras.Model(pixels, top)
    before = network.get_weights()
    seen = []
    for name, spoilt in randomized_from_the_top(network, seed=1):
        same = [np.array_equal(a, b) for a, b in zip(before, spoilt.get_weights())]
        seen.append((name, same[0], same[2]))
    assert seen == [("top", True, False), ("low", False, False)]
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights()))


@pytest.fixture(scope="module")
def honest() -> keras.Model:
    return trained(HONESTLY, 20)


@pytest.fixture(scope="module")
def case_set() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pictures with a finding and where it is."""
    rows = list(range(CASE_SET_CASES // 2))
    kinds, places = drawn_lesions(rows, 64)
    ill = (kinds != "none") & places.any(axis=(1, 2))
    return read_split("phantom", "test", 64).records.pixels[rows][ill], places[ill]


@pytest.mark.slow
def test_maps_follow_the_network_that_they_explain(
    honest: keras.Model, case_set: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    """Adebayo et al. (2018), NeurIPS: what randomized layers do not change explains nothing."""
    pixels, _ = case_set
    maps = maps_of(honest, pixels)
    assert rank_correlation(maps, maps_of(honest, pixels)) == pytest.approx(1.0)
    for name, spoilt in randomized_from_the_top(honest, seed=20):
        found = rank_correlation(maps, maps_of(spoilt, pixels))
        print(f"randomized down to {name}: {found:+.3f}")
        assert abs(found) < 0.5, name


@pytest.mark.slow
def test_heat_lies_in_the_lesions_and_leaves_them_for_a_mark_that_gives_the_label_away(
    honest: keras.Model, case_set: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> None:
    pixels, places = case_set
    right = attention(maps_of(honest, pixels), places)
    network = trained(SHORTCUT, 20)
    wrong = attention(maps_of(network, pixels), places)
    print(f"honest {right}, shortcut {wrong}")
    assert right.heat > 1.5 * right.area
    assert wrong.heat < 0.7 * right.heat
    tune = read_split(SHORTCUT, "tune", 64).records
    marked = maps_of(network, tune.pixels[tune.labels == 1])
    corner = marked[:, -1, 0] / marked.sum(axis=(1, 2))
    print(f"in the marked corner: {corner.mean():.3f}")
    assert corner.mean() > 4 / 16
