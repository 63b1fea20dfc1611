"""One device against two: each case trains in a process of its own, as devices are counted once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.model import replicated_case

pytestmark = [pytest.mark.tensorflow, pytest.mark.process]

# The devices' shares of a sum are added in another order; nothing else may differ.
TOLERANCE = 1e-5


def trained(cache: Path, *, devices: int, **settings: Any) -> dict[str, Any]:
    """What a training on so many logical devices of the CPU came to."""
    command = [sys.executable, "-W", "ignore", replicated_case.__file__, str(devices)]
    done = subprocess.run(
        [*command, json.dumps(settings)],
        env={"CASEGATE_CACHE": str(cache), "PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def alone(cache: Path) -> dict[str, Any]:
    return trained(cache, devices=1, strategy="one", dropout=0.0)


@pytest.fixture(scope="module")
def on_one(cache: Path) -> dict[str, Any]:
    return trained(cache, devices=1, strategy="mirrored", dropout=0.0)


@pytest.fixture(scope="module")
def on_two(cache: Path) -> dict[str, Any]:
    return trained(cache, devices=2, strategy="mirrored", dropout=0.0)


def test_two_devices_train_as_one_does_to_the_last_smaller_batch(
    on_one: dict[str, Any], on_two: dict[str, Any]
) -> None:
    assert [run["training"]["devices"] for run in (on_one, on_two)] == [1, 2]
    assert len(on_two["losses"]) == len(on_one["losses"]) == 3
    assert on_two["losses"] == pytest.approx(on_one["losses"], abs=TOLERANCE)
    assert on_two["aucs"] == pytest.approx(on_one["aucs"], abs=TOLERANCE)
    assert on_two["scores"] == pytest.approx(on_one["scores"], abs=TOLERANCE)
    assert on_two["operating_point"] == pytest.approx(on_one["operating_point"], abs=TOLERANCE)


def test_the_first_epoch_of_several_devices_is_that_of_keras_on_one(
    alone: dict[str, Any], on_two: dict[str, Any]
) -> None:
    """Later ones are as good, but have the images in another order: Keras draws it more often."""
    assert on_two["losses"][0] == pytest.approx(alone["losses"][0], abs=TOLERANCE)
    assert on_two["aucs"][0] == pytest.approx(alone["aucs"][0], abs=TOLERANCE)


def test_dropout_and_phases_train_on_two_devices(cache: Path) -> None:
    found = trained(cache, devices=2, strategy="mirrored", network="in_phases", dropout=0.5)
    assert [phase["epochs"] for phase in found["phases"]] == [2, 3]
    assert found["tuning_auc"] == max(found["aucs"])


def test_a_training_by_xla_gives_scores_that_the_plain_graph_gives(
    cache: Path, alone: dict[str, Any]
) -> None:
    found = trained(cache, devices=1, strategy="one", jit_compile=True, dropout=0.0)
    assert found["training"]["jit_compile"]
    assert found["scores"] == pytest.approx(found["as_trained"], abs=TOLERANCE)
    assert found["scores"] == pytest.approx(alone["scores"], abs=1e-3)


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_a_training_in_float16_leaves_a_network_in_float32(
    cache: Path, alone: dict[str, Any], strategy: str
) -> None:
    found = trained(cache, devices=2, strategy=strategy, mixed_precision=True, dropout=0.0)
    assert set(found["computed_in"]) == {"float32"} and set(found["kept_in"]) == {"float32"}
    assert found["losses"][0] == pytest.approx(alone["losses"][0], abs=1e-2)
    assert found["losses"] != alone["losses"]
