from dataclasses import replace

import numpy as np

from components.drift.findings import NOT_ENOUGH
from components.drift.inputs import shifts_of_attributes, shifts_of_images
from components.drift.shifts import Dealing
from tests.components.drift.making import LIMITS, drawn

DEALING = Dealing(np.random.default_rng(1), 99, 200)


def test_only_what_has_a_limit_is_compared_in_the_order_of_the_schema() -> None:
    reference, current = drawn(1, 300), drawn(2, 300)
    backwards = dict(reversed(LIMITS.items()))
    images = shifts_of_images(reference, current, backwards, DEALING)
    assert [(shift.name, shift.kind) for shift in images] == [
        ("sharpness", "quality"),
        ("mean", "quality"),
    ]
    attributes = shifts_of_attributes(reference, current, {"site": LIMITS["site"]}, DEALING)
    assert [(shift.name, shift.kind) for shift in attributes] == [("site", "attribute")]


def test_a_column_that_one_sample_lacks_is_not_enough_data_and_none_is_left_out() -> None:
    sample = drawn(1, 300)
    bare = replace(sample, numbers={}, words={})
    for pair in ((sample, bare), (bare, sample)):
        images = shifts_of_images(*pair, LIMITS, DEALING)
        attributes = shifts_of_attributes(*pair, LIMITS, DEALING)
        assert [shift.state for shift in images + attributes] == [NOT_ENOUGH] * 5
    assert shifts_of_images(bare, bare, LIMITS, DEALING) == []
    assert shifts_of_attributes(bare, bare, LIMITS, DEALING) == []
