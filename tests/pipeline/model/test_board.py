"""What a training leaves for TensorBoard, and that nothing of it moves the training."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from pipeline.model.board import TrainingBoard, busy_percent, host_bytes
from pipeline.model.trainer import fit
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig
from tests.measure.training import HeldRecords, held

pytestmark = pytest.mark.tensorflow

MODEL = ModelConfig(image_size=16, filters=(2,), batch_size=8, epochs=3)


def drawn() -> HeldRecords:
    labels = (np.arange(36) % 2).astype(np.float32)
    return held(np.random.default_rng(0).random((36, 16, 16, 1), np.float32), labels)


def written(folder: Path) -> dict[str, list[float]]:
    """The figures in the order of the epochs, by name."""
    events = EventAccumulator(str(folder))
    events.Reload()
    found = {}
    for name in events.Tags()["tensors"]:
        steps = [each.step for each in events.Tensors(name)]
        assert steps == [1, 2, 3]
        found[name] = [float(make_ndarray(each.tensor_proto)) for each in events.Tensors(name)]
    return found


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_each_epoch_says_how_it_went_and_the_weights_do_not_know(
    tmp_path: Path, strategy: str
) -> None:
    how = TrainingConfig(strategy=strategy)  # type: ignore[arg-type]
    board = TrainingBoard(tmp_path, 36)
    network, found = fit(MODEL, drawn(), drawn(), how, watched=(board,))
    figures = written(tmp_path)
    assert max(figures["training/tuning AUC"]) == pytest.approx(found["tuning_auc"])
    assert figures["training/learning rate"][-1] == pytest.approx(0, abs=1e-6)
    assert figures["training/phase"] == [1, 1, 1]
    for p50, p95, p99 in zip(*(figures[f"speed/step p{p} ms"] for p in (50, 95, 99))):
        assert 0 < p50 <= p95 <= p99
    assert 0 < board.step_ms["p50"] <= board.step_ms["p95"] <= board.step_ms["p99"]
    assert min(figures["speed/images per second"]) > 0
    assert ("speed/share of time waiting for input" in figures) == (strategy == "mirrored")
    plain, same = fit(MODEL, drawn(), drawn(), how)
    assert same == found
    for one, other in zip(network.model.get_weights(), plain.model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_cards_that_say_how_busy_they_are_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for NVIDIA's library, as there may be no card here."""
    cards = types.SimpleNamespace(
        NVMLError=type("NVMLError", (Exception,), {}),
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetUtilizationRates=lambda card: types.SimpleNamespace(gpu=40 + card),
    )
    monkeypatch.setitem(sys.modules, "pynvml", cards)
    fit(MODEL, drawn(), drawn(), watched=(TrainingBoard(tmp_path, 36),))
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for number, busy in enumerate((40, 41)):
        first = events.Tensors(f"speed/GPU {number} busy percent")[0]
        assert float(make_ndarray(first.tensor_proto)) == busy

    def no_driver() -> None:
        raise cards.NVMLError

    cards.nvmlInit = no_driver
    assert busy_percent() == []


def test_the_share_of_waiting_is_that_of_the_time_between_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = TrainingBoard(tmp_path, 36)
    clock = iter([0.0, 3.0, 4.0, 7.0, 8.0])  # waits 3, steps 1, twice
    monkeypatch.setattr("pipeline.model.board.time.perf_counter", lambda: next(clock))
    board.set_params({"fed_outside": True})
    board.set_model(type("M", (), {"optimizer": type("O", (), {"learning_rate": 0.1})()})())
    board.on_train_begin()
    for epoch in range(1):
        board.on_epoch_begin(epoch)
        for batch in range(2):
            board.on_train_batch_begin(batch)
            board.on_train_batch_end(batch)
        board.on_epoch_end(epoch, {"loss": 1.0, "val_auc": 0.5})
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (share,) = events.Tensors("speed/share of time waiting for input")
    (rate,) = events.Tensors("speed/images per second")
    assert make_ndarray(share.tensor_proto) == 0.75 and make_ndarray(rate.tensor_proto) == 4.5


def test_this_process_holds_memory() -> None:
    assert host_bytes() > 10**7
