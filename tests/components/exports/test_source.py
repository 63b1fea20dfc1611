"""Which tuning cases calibrate, and what a model has to have to be exported."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.exports import source
from components.exports.source import input_side, labels_of
from components.records.errors import Unservable
from tests.components.exports.making import SIZE, Bright, saved, tuning
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


def test_cases_are_drawn_of_both_classes_in_an_order_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "OF_EACH_CLASS", 5)
    cases = tuning(40)
    pixels, drawn = cases.representative(SIZE)
    assert drawn.cases == len(pixels) == 10
    order = np.random.default_rng(0).permutation(40)
    shuffled = replace(
        cases,
        ids=[cases.ids[i] for i in order],
        pictures=[cases.pictures[i] for i in order],
        labels=cases.labels[order],
    )
    again, same = shuffled.representative(SIZE)
    assert same == drawn
    np.testing.assert_array_equal(again, pixels)


def test_the_hash_knows_pixels_and_ids() -> None:
    cases = tuning(12)
    kept = cases.representative(SIZE)[1].sha256
    renamed = replace(cases, ids=["other", *cases.ids[1:]])
    repainted = replace(cases, pictures=[cases.pictures[1], *cases.pictures[1:]])
    assert len({kept, *(each.representative(SIZE)[1].sha256 for each in (renamed, repainted))}) == 3


def test_the_side_is_that_of_the_signature(tmp_path: Path) -> None:
    assert input_side(saved(tmp_path / "model")) == SIZE


def test_a_signature_of_another_form_is_refused(tmp_path: Path) -> None:
    class Colour(Bright):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="pixels")])
        def score_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"logit": tf.reduce_mean(pixels, axis=[1, 2, 3])[:, None]}

    with refused(Unservable, "score_pixels", "[-1, size, size, 1]"):
        input_side(saved(tmp_path / "model", Colour()))
    with refused(Unservable, "saved_model.pb"):
        input_side(tmp_path)


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"NORMAL": 0, "PNEUMONIA": 1}, ("NORMAL", "PNEUMONIA")),
        ({"no": 0, "bacteria": 1, "virus": 1, "?": None}, ("no", "bacteria or virus")),
        ({"0": 0, "1": 1}, ("negative", "positive")),
        ({"a\nb": 0, "c": 1}, ("a b", "c")),
        ({}, ("negative", "positive")),
    ],
)
def test_labels_are_the_datas_words(labels: dict[str, int], wanted: tuple[str, str]) -> None:
    assert labels_of(json.dumps({"labels": labels}).encode()) == wanted
    assert labels_of(b"{}") == ("negative", "positive")
