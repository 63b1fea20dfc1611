"""Training in phases: what each may change, what is kept, and what is told of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.records import events
from pipeline.model.networks.building import build
from pipeline.model.networks.contract import Network
from pipeline.model.trainer import fit
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import PrivacyConfig, TrainingConfig
from tests.measure.training import HeldRecords, held
from tests.pipeline.model.networks.test_building import OWN

pytestmark = pytest.mark.tensorflow

MODEL = ModelConfig(
    network=f"{OWN}:in_phases",
    image_size=16,
    learning_rate=0.1,
    batch_size=8,
    head_epochs=3,
    epochs=2,
)


def drawn(seed: int, count: int = 32) -> HeldRecords:
    """Images whose brightness is their label."""
    labels = np.arange(count) % 2
    pixels = np.random.default_rng(seed).random((count, 16, 16, 1), np.float32)
    return held(0.5 * pixels + 0.5 * labels[:, None, None, None].astype(np.float32), labels)


def trained(
    how: TrainingConfig | None = None, **settings: Any
) -> tuple[Network, dict[str, Any], list[str]]:
    told: list[str] = []
    model = ModelConfig(**{**vars(MODEL), **settings})
    with events.listen(lambda event: told.append(event.detail)):
        network, found = fit(model, drawn(1), drawn(2), how)
    return network, found, told


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path))
    return tmp_path


def changed(trained: Network, **settings: Any) -> set[str]:
    """The layers that do not have the weights any more that they begin with."""
    import keras

    keras.utils.set_random_seed(MODEL.seed)
    new = build(ModelConfig(**{**vars(MODEL), **settings})).model
    return {
        layer.name
        for layer, other in zip(new.layers, trained.model.layers)
        for before, after in zip(layer.get_weights(), other.get_weights())
        if not np.array_equal(before, after)
    }


def test_each_phase_changes_its_own_layers_and_no_statistics_of_a_normalization() -> None:
    network, found, _ = trained()
    assert changed(network) <= {"late", "probability"}
    assert [phase["layers"] for phase in found["phases"]] == [
        ("probability",),
        ("late", "probability"),
    ]
    assert [phase["epochs"] for phase in found["phases"]] == [3, 2] and found["epochs"] == 5
    rates = [phase["learning_rate"] for phase in found["phases"]]
    assert rates[1] == pytest.approx(rates[0] / 10)
    best = max(phase["tuning_auc"] for phase in found["phases"])
    assert found["tuning_auc"] == best


def test_a_later_phase_that_makes_it_no_better_is_undone() -> None:
    network, found, _ = trained(head_epochs=30)
    first, second = (phase["tuning_auc"] for phase in found["phases"])
    assert first == found["tuning_auc"] == 1.0 and second <= first
    assert changed(network) == {"probability"}


def test_the_features_of_the_head_are_computed_once_and_give_the_same_again(cache: Path) -> None:
    first, _, _ = trained()
    kept = {path: path.stat().st_ino for path in (cache / "features").iterdir()}
    again, _, _ = trained()
    assert len(kept) == 2
    assert kept == {path: path.stat().st_ino for path in (cache / "features").iterdir()}
    for one, other in zip(first.model.get_weights(), again.model.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_head_alone_keeps_a_promise_on_features_that_are_computed_once(cache: Path) -> None:
    promised = TrainingConfig(privacy=PrivacyConfig(epsilon=3.0))
    alone = f"{OWN}:head_alone"
    network, found, told = trained(promised, network=alone)
    assert changed(network, network=alone) == {"probability"}
    (phase,) = found["phases"]
    assert (phase["layers"], phase["epochs"]) == (("probability",), 2)
    assert (found["privacy"]["steps"], found["privacy"]["rate"]) == (2 * 4, 8 / 32)
    assert len(list((cache / "features").iterdir())) == 2
    assert any("epsilon 3" in line for line in told)


def test_the_display_says_phase_epoch_and_learning_rate() -> None:
    _, _, told = trained()
    epochs = [line for line in told if "epoch" in line]
    assert [line.split("  ")[0] for line in epochs] == ["phase 1/2"] * 3 + ["phase 2/2"] * 2
    assert all("rate " in line and "tuning AUC" in line for line in epochs)
