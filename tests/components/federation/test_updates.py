"""Every fault of an update is refused, by a line that says which."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.federation.updates import Update, check_update, distance, hash_weights
from components.records.errors import RefusedUpdate
from tests.refusing import refused

BEFORE = {"0.kernel": np.zeros((2, 3), np.float32), "1.bias": np.ones(3, np.float32)}


def update(**changed: Any) -> Update:
    given = {"site": "north", "round": 4, "weights": dict(BEFORE), "examples": 90, "positives": 40}
    return Update(**{**given, **changed})


def with_weights(**arrays: Any) -> Mapping[str, Any]:
    named = {name.replace("_", "."): array for name, array in arrays.items()}
    return {**BEFORE, **{f"{name[-1]}.{name[:-2]}": array for name, array in named.items()}}


def check(sent: Update, bound: float | None = None) -> None:
    check_update(sent, BEFORE, 100, bound, number=4)


FAULTS: Mapping[str, tuple[Callable[[], Update], list[object]]] = {
    "another round": (lambda: update(round=3), ["round: got 3, wanted 4"]),
    "more than registered": (lambda: update(examples=101), ["examples: got 101", "100"]),
    "none": (lambda: update(examples=0, positives=0), ["examples: got 0"]),
    "below none": (lambda: update(examples=-5, positives=None), ["examples: got -5"]),
    "half an example": (lambda: update(examples=4.5), ["examples: got 4.5"]),
    "positives": (lambda: update(positives=91), ["positives: got 91", "0 to its 90"]),
    "half a positive": (lambda: update(positives=40.5), ["positives: got 40.5"]),
    "missing": (lambda: update(weights={"0.kernel": BEFORE["0.kernel"]}), ["1.bias", "all 2"]),
    "unknown": (lambda: update(weights=with_weights(spy_2=np.ones(1))), ["unknown", "2.spy"]),
    "order": (
        lambda: update(weights=dict(reversed(BEFORE.items()))),
        ["place 0: got 1.bias, wanted 0.kernel"],
    ),
    "shape": (
        lambda: update(weights=with_weights(kernel_0=np.zeros((3, 2), np.float32))),
        ["shape of 0.kernel: got (3, 2), wanted (2, 3)"],
    ),
    "type": (
        lambda: update(weights=with_weights(bias_1=np.ones(3))),
        ["type of 1.bias: got float64, wanted float32"],
    ),
    "NaN": (
        lambda: update(weights=with_weights(bias_1=np.array([1, np.nan, np.inf], np.float32))),
        ["1.bias: got 2 values that are not finite"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_by_name(fault: str) -> None:
    make, facts = FAULTS[fault]
    with refused(RefusedUpdate, "site north", *facts):
        check(make())


def test_an_update_without_a_fault_passes_at_every_limit() -> None:
    check(update(examples=100, positives=100))
    check(update(examples=1, positives=None))


def test_a_change_beyond_the_bound_is_refused_and_one_at_it_is_not() -> None:
    moved = update(weights=with_weights(bias_1=np.array([4, 5, 1], np.float32)))
    assert distance(moved.weights, BEFORE) == 5.0
    check(moved, bound=5.0)
    with refused(RefusedUpdate, "norm of the change: got 5, wanted at most 4.9"):
        check(moved, bound=4.9)


def test_the_distance_of_weights_whose_squares_are_no_float32_is_known() -> None:
    far = {"w": np.full(4, 1e30, np.float32)}
    assert distance(far, {"w": np.zeros(4, np.float32)}) == pytest.approx(2e30)


def test_the_hash_follows_names_values_shapes_and_types() -> None:
    whole = {"w": np.arange(6, dtype=np.float32)}
    others = [
        {"v": whole["w"]},
        {"w": whole["w"].reshape(2, 3)},
        {"w": whole["w"].view(np.int32)},
        {"w": np.nextafter(whole["w"], 9)},
    ]
    assert len({hash_weights(each) for each in (whole, *others)}) == 5
    swapped = {"w": whole["w"].astype(">f4")}
    assert update(weights=swapped).sha256 == hash_weights(whole)


def test_a_site_s_name_cannot_break_the_line() -> None:
    with refused(RefusedUpdate, '"no\\nrth"'):
        check(replace(update(round=3), site="no\nrth"))
