"""How a training went, as event files for TensorBoard; they decide nothing.

Keras' own callback says nothing of the time that a step takes unless it profiles.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

PERCENTILES = (50, 95, 99)
# Steps that trace the graph and fill queues say nothing of those to come.
WARM_UP_STEPS = 2
MIB = 2**20


class TrainingBoard(keras.callbacks.Callback):
    """Writes figures after each epoch: losses, rates, step times, throughput and memory.

    Args:
      folder: where the event file goes.
      images: how many an epoch has.
    """

    def __init__(self, folder: Path, images: int) -> None:
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(folder))
        self._images, self._epoch, self._phase = images, 0, 0
        self._steps: list[float] = []
        self._phase_steps: list[float] = []
        self._waits: list[float] = []
        self._begun = self._ended = self._looked = 0.0
        self._busy: list[list[int]] = []

    @property
    def step_ms(self) -> dict[str, float]:
        """Percentiles of the last phase's steps, `p50` and so on; none where it made too few."""
        steps = self._phase_steps[WARM_UP_STEPS:]
        return {f"p{each}": _percentile_ms(steps, each) for each in PERCENTILES if steps}

    def on_train_begin(self, logs: Any = None) -> None:
        self._phase += 1
        self._phase_steps = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._steps, self._waits, self._busy = [], [], []
        self._ended = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._begun = time.perf_counter()
        self._waits.append(self._begun - self._ended)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._ended = time.perf_counter()
        self._steps.append(self._ended - self._begun)
        if self._ended - self._looked >= 1:  # the library's own figure is of the last second
            self._looked = self._ended
            self._busy.append(busy_percent())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epoch += 1
        self._phase_steps += self._steps
        spent, waited = sum(self._steps), sum(self._waits)
        figures = {
            "training/loss": logs["loss"],
            "training/tuning AUC": logs["val_auc"],
            "training/learning rate": float(self.model.optimizer.learning_rate),
            "training/phase": self._phase,
            "speed/images per second": self._images / (spent + waited),
            "memory/host MiB": host_bytes() / MIB,
        }
        for each in PERCENTILES:
            figures[f"speed/step p{each} ms"] = _percentile_ms(self._steps, each)
        if self.params.get("fed_outside"):  # else a step fetches its own batch
            figures["speed/share of time waiting for input"] = waited / (spent + waited)
        for number, device in enumerate(tf.config.list_logical_devices("GPU")):
            used = tf.config.experimental.get_memory_info(device.name.removeprefix("/device:"))
            figures[f"memory/device {number} MiB"] = used["peak"] / MIB
        for number, percents in enumerate(zip(*self._busy)):
            figures[f"speed/GPU {number} busy percent"] = float(np.mean(percents))
        with self._writer.as_default(step=self._epoch):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        self._writer.flush()


def _percentile_ms(seconds: Sequence[float], which: int) -> float:
    return round(1000 * float(np.percentile(seconds, which)), 3)


def busy_percent() -> list[int]:
    """How much of the last second each of NVIDIA's cards worked; none without its library."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        cards = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [pynvml.nvmlDeviceGetUtilizationRates(card).gpu for card in cards]
    except pynvml.NVMLError:  # no driver, or a card that does not say
        return []


def host_bytes() -> int:
    """What this process holds of the machine's memory; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
