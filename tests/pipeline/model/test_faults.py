"""What fails on the machine in training ends it in one line, in the words of the settings."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.records.errors import CasegateError, ConfigError, DeviceLost, NothingEvaluated
from pipeline.model.faults import explained_faults
from pipeline.model.trainer import fit
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig
from tests.measure.training import held
from tests.pipeline.model.networks.test_building import OWN

pytestmark = pytest.mark.tensorflow

MODEL = ModelConfig(image_size=16, filters=(2,), batch_size=48, epochs=1)


def raised(error: type[tf.errors.OpError], text: str = "planted\nmore") -> tf.errors.OpError:
    return error(None, None, text)  # type: ignore[call-arg]


def said(fault: Exception, *, devices: int = 1, **training: Any) -> CasegateError:
    with (
        pytest.raises(CasegateError) as told,
        explained_faults(MODEL, TrainingConfig(**training), devices=devices),
    ):
        raise fault
    assert "\n" not in str(told.value)
    return told.value


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A machine whose memory bears so many images in one step."""

    def of(most: int) -> None:
        def step(self: keras.Model, pixels: np.ndarray, labels: np.ndarray) -> float:
            if len(pixels) > most:
                raise raised(tf.errors.ResourceExhaustedError)
            return 0.0

        monkeypatch.setattr(keras.Model, "train_on_batch", step)

    return of


@pytest.mark.parametrize("most, devices, fits", [(30, 1, "24"), (10, 1, "6"), (10, 2, "12")])
def test_a_batch_that_does_not_fit_names_one_that_does(
    memory: Callable[[int], None], most: int, devices: int, fits: str
) -> None:
    memory(most)
    error = said(raised(tf.errors.ResourceExhaustedError), devices=devices)
    assert type(error) is ConfigError and "model.batch_size: got 48" in str(error)
    assert f"about {fits} would fit" in str(error) and "estimate" in str(error)


def test_not_even_one_image_may_fit(memory: Callable[[int], None]) -> None:
    memory(0)
    assert "not even one" in str(said(raised(tf.errors.ResourceExhaustedError)))


@pytest.mark.parametrize(
    "kind", [tf.errors.InternalError, tf.errors.UnavailableError, tf.errors.AbortedError]
)
def test_a_device_that_disappears_is_said(kind: type[tf.errors.OpError]) -> None:
    error = said(raised(kind))
    assert type(error) is DeviceLost and error.exit_code == 70 and "planted" in str(error)


def test_a_network_that_xla_cannot_compile_is_said_and_other_mistakes_are_not_hidden() -> None:
    error = said(raised(tf.errors.InvalidArgumentError), jit_compile=True)
    assert type(error) is ConfigError and "jit_compile" in str(error)
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        explained_faults(MODEL, TrainingConfig(), devices=1),
    ):
        raise raised(tf.errors.InvalidArgumentError)


def drawn() -> Any:
    labels = (np.arange(32) % 2).astype(np.float32)
    return held(np.random.default_rng(0).random((32, 16, 16, 1), np.float32), labels)


def test_what_fails_in_a_training_ends_it_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise raised(tf.errors.InternalError)

    monkeypatch.setattr(keras.Model, "fit", lost)
    with pytest.raises(DeviceLost):
        fit(MODEL, drawn(), drawn())


def test_a_network_that_puts_out_nan_ends_the_training_with_its_epoch() -> None:
    model = dataclasses.replace(MODEL, network=f"{OWN}:not_a_number", epochs=3)
    with pytest.raises(NothingEvaluated, match="epoch 1/3"):
        fit(model, drawn(), drawn())
