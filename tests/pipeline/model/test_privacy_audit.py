"""That an audit finds a planted fault in private training, and accuses no sound one."""

import os
from collections.abc import Sequence

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import numpy as np
import pytest
import tensorflow as tf

from components.records.errors import ConfigError
from pipeline.model import privacy_audit, private
from pipeline.model.privacy_audit import PrivacyAudit, audit
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import PrivacyConfig, TrainingConfig

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

RNG = np.random.default_rng(2)
PIXELS = RNG.random((100, 16, 16, 1), np.float32)
LABELS = (np.arange(100) % 2).astype(np.float32)
MODEL = ModelConfig(image_size=16, filters=(8, 16), batch_size=10, epochs=6, augment=False)


def audited(epsilon: float = 3.0, canaries: int = 1000, seed: int = 0) -> PrivacyAudit:
    how = TrainingConfig(privacy=PrivacyConfig(epsilon=epsilon, unit="image"))
    return audit(MODEL, how, PIXELS, LABELS, canaries=canaries, seed=seed)


@pytest.mark.parametrize("epsilon", [1.0, 3.0])
def test_a_sound_training_is_not_accused(epsilon: float) -> None:
    found = audited(epsilon)
    assert found.lower_bound < found.epsilon < found.largest
    assert not found.broken and found.telling


def test_a_weaker_promise_is_seen_to_leak_more() -> None:
    assert audited(3.0).lower_bound > 0


def test_noise_left_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "add_noise", lambda sums, deviation, generator: list(sums))
    assert audited().broken


def test_noise_of_a_tenth_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = private.add_noise
    monkeypatch.setattr(
        private, "add_noise", lambda sums, scale, generator: real(sums, scale / 10, generator)
    )
    assert audited(1.0).broken


def test_clipping_after_averaging_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(gradients: Sequence[tf.Tensor], clip_norm: float) -> list[tf.Tensor]:
        sums = [tf.reduce_sum(each, 0) for each in gradients]
        count = tf.cast(tf.shape(gradients[0])[0], tf.float32)
        norm = tf.linalg.global_norm(sums) / count
        return [each * tf.minimum(1.0, clip_norm / norm) for each in sums]

    for module in (private, privacy_audit):
        monkeypatch.setattr(module, "clipped_sum", late)
    assert audited(1.0).broken


def test_too_few_canaries_try_nothing_and_say_so() -> None:
    found = audited(8.0, canaries=40)
    assert not found.telling


def test_more_canaries_than_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="--canaries: got 100000"):
        audited(canaries=100_000)
