"""Shares of heat, of maps whose heat is known; and what a served model was asked."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from components.cases.example import serialized_example
from components.cases.images import inspect_image
from components.phantom.source import CASE_SET_CASES, PhantomSource
from components.records.case import POSITIVE, Case, Shard
from components.scoring.attention import AT_ONCE, ask_attention, shares_of
from tests.components.scoring import making

pytestmark = pytest.mark.tensorflow

PHANTOM = PhantomSource.parse("phantom")
PLACES = np.zeros((2, 8, 8), np.bool_)
PLACES[:, :2, :2] = True  # the first of 4 x 4 cells


def hot(*cells: tuple[int, int]) -> NDArray[np.float32]:
    heat = np.zeros((2, 4, 4), np.float32)
    for cell in cells:
        heat[(slice(None), *cell)] = 1.0
    return heat


def test_even_heat_has_the_lesions_share_of_the_area() -> None:
    heat, area = shares_of(np.ones((2, 4, 4), np.float32), PLACES)
    assert heat.tolist() == area.tolist() == [1 / 16, 1 / 16]


def test_heat_counts_where_it_lies_and_a_map_without_any_has_no_share() -> None:
    assert shares_of(hot((0, 0)), PLACES)[0].tolist() == [1.0, 1.0]
    assert shares_of(hot((3, 3)), PLACES)[0].tolist() == [0.0, 0.0]
    half = hot((0, 0), (3, 3))
    half[1] = 0.0
    share, blank = shares_of(half, PLACES)[0]
    assert share == 0.5 and np.isnan(blank)


def test_a_lesion_that_covers_half_a_cell_has_half_of_its_heat() -> None:
    places = PLACES.copy()
    places[:, 1] = False
    assert shares_of(hot((0, 0)), places)[0].tolist() == [0.5, 0.5]


def test_a_map_is_as_high_and_as_wide_as_its_lesions() -> None:
    """Rows stay rows, where a map has more of them than columns."""
    places = np.zeros((1, 60, 40), np.bool_)
    places[:, :20] = True
    heat = np.zeros((1, 3, 2), np.float32)
    heat[:, 0] = 1.0
    shares = shares_of(heat, places)
    assert shares[0].tolist() == [1.0] and shares[1].tolist() == pytest.approx([1 / 3])


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Of the case set, enough for several requests."""
    return list(PHANTOM.read(Shard("test", 0, 4 * AT_ONCE)))


@pytest.fixture(scope="module")
def records(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = str(tmp_path_factory.mktemp("records") / "cases.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
        for case in cases:
            writer.write(serialized_example(case, inspect_image(case.image)[1]))
    return [path]


class TopRow(making.Explained):
    """All heat lies in the upper half; in none of it where the image is of an odd size."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        even = tf.cast(1 - tf.strings.length(image) % 2, tf.float32)
        heat = tf.concat([tf.ones([1, 1, 2]), tf.zeros([1, 1, 2])], axis=1)
        heat = tf.ensure_shape(even[:, None, None] * heat, [None, 2, 2])
        return {**self.judged(image), "heatmap": heat}


def test_each_case_with_a_lesion_is_asked_for_and_its_share_is_its_own(
    cases: list[Case], records: list[str], tmp_path: Path
) -> None:
    found = ask_attention(making.save(TopRow(), tmp_path / "model"), records, PHANTOM).shares
    places = dict(zip([c.case_id for c in cases], PHANTOM.lesions([c.case_id for c in cases])))
    ill = [case for case in cases if places[case.case_id].any()]
    assert list(found) == [case.case_id for case in ill]
    assert AT_ONCE < len(ill) <= sum(case.label == POSITIVE for case in cases)
    assert {heat is None for heat, _ in found.values()} == {True, False}
    for case in ill:
        place, (heat, area) = places[case.case_id], found[case.case_id]
        assert area == pytest.approx(place.mean(), abs=1e-6)
        if len(case.image) % 2:
            assert heat is None
        else:
            assert heat == pytest.approx(place[:32].mean(), abs=1e-6)


def test_a_model_without_maps_and_one_that_cannot_be_served_have_no_share(
    records: list[str], tmp_path: Path
) -> None:
    for model in (
        making.save(making.Sized(), tmp_path / "silent"),
        making.UNSERVABLE[next(iter(making.UNSERVABLE))][0](tmp_path / "broken"),
    ):
        assert ask_attention(model, records, PHANTOM).shares == {}


def test_lesions_are_those_of_the_case_set_that_judges() -> None:
    for spec, name in (("phantom:n=40,seed=3", "phantom"), ("phantom:cases=development", "")):
        source = PhantomSource.parse(spec)
        shown = list(source.read(Shard("test", 0, 60)))
        places = source.lesions([case.case_id for case in shown])
        assert places.shape == (60, 64, 64)
        ill = np.array([case.label == POSITIVE for case in shown])
        assert not places[~ill].any() and places[ill].any(axis=(1, 2)).mean() > 0.95
        assert (name == "phantom") == np.array_equal(
            places, PHANTOM.lesions([f"phantom-case-{row:06d}" for row in range(60)])
        )
    assert PHANTOM.lesions([f"phantom-case-{CASE_SET_CASES - 1:06d}"]).shape == (1, 64, 64)
