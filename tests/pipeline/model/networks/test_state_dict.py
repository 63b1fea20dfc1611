import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.records.errors import IntegrityError
from pipeline.model.networks.state_dict import read_state_dict
from tests.pipeline.model.networks.torch_files import torch_file
from tests.refusing import refused

TENSORS = {
    "stem.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "norm.running_mean": np.array([0.5, -1.5], np.float32),
    "norm.num_batches_tracked": np.array(7, np.int64),
}
TWO = {name: np.arange(6, dtype=np.float32).reshape(2, 3) for name in "ab"}


class Harm:
    """What would be done if the pickle were executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_tensors_come_out_by_name_shape_and_type() -> None:
    found = read_state_dict(torch_file(TENSORS))
    assert list(found) == list(TENSORS)
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_tensor_may_lie_in_its_storage_in_another_order() -> None:
    found = read_state_dict(torch_file(TWO, strides=(1, 2)))
    assert found["a"].tolist() == [[0, 2, 4], [1, 3, 5]]


def test_what_a_pickle_would_execute_is_refused_and_not_executed(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    with refused(IntegrityError, "GLOBAL", "mkdir"):
        read_state_dict(torch_file(TENSORS, more=Harm(harm)))
    assert not harm.exists()


@pytest.mark.parametrize(
    "content, fact",
    [
        (b"", "state dict"),
        (b"PK\x03\x04 a zip", "state dict"),
        (torch_file(TENSORS, magic=3), "got 3"),
        (torch_file(TENSORS)[:-8], "state dict"),
        (torch_file(TENSORS)[:-40], "state dict"),
        (torch_file(TWO, strides=(9, 1)), "state dict"),
        (torch_file(TWO, strides=(-3, 1)), "state dict"),
        (torch_file(TENSORS, more={1.5}), "state dict"),
        (torch_file(TENSORS, more="text"), "state dict"),
    ],
)
def test_what_is_no_state_dict_or_not_whole_is_refused(content: bytes, fact: str) -> None:
    with refused(IntegrityError, fact):
        read_state_dict(content)
