"""Images per second of training by one device and two, by XLA and in float16, in fresh processes.

Each process trains the shipped network on drawn images. The two devices are halves of one CPU here,
which shows what dividing costs; where there is a GPU, its figures stand beside them.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from pipeline.settings.config import REPOSITORY
from tests.bench.figures import Setting
from tests.bench.page import machine_lines, table

TEMPLATE = Path(__file__).with_name("scaling.md.template")
WAYS = {
    "one device": (1, {}),
    "mirrored, one device": (1, {"strategy": "mirrored"}),
    "mirrored, two devices": (2, {"strategy": "mirrored"}),
    "XLA": (1, {"jit_compile": True}),
    "float16": (1, {"mixed_precision": True}),
}


@dataclass(frozen=True)
class Throughput:
    """`images_per_second`: of the epochs after the first, in which the graph is made."""

    kind: str
    way: str
    images_per_second: float


def measured_scaling(images: int, epochs: int, say: Callable[[str], None]) -> list[Throughput]:
    """Every way on the CPU, and on the GPUs where there are any; images of 64 x 64 pixels."""
    found = []
    for kind in ("CPU", "GPU"):
        for way, (devices, how) in WAYS.items():
            say(f"training: {kind}, {way}")
            told = _trained(kind, devices, how, images, epochs)
            if told is None:
                say("no GPU here: its figures are left out")
                return found
            found.append(Throughput(kind, way, told))
    return found


def section(figures: Sequence[Throughput], setting: Setting) -> str:
    """The section, its heading included."""
    rows = [[each.kind, each.way, f"{each.images_per_second:.0f}"] for each in figures]
    text = Template(TEMPLATE.read_text(encoding="utf-8"))
    made = table(["on", "how", "images a second"], rows)
    return text.substitute(setting=machine_lines(setting), figures=made)


def _trained(
    kind: str, devices: int, how: dict[str, Any], images: int, epochs: int
) -> float | None:
    words = [kind, str(devices), json.dumps(how), str(images), str(epochs)]
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if kind == "CPU" else {}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __name__, *words],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "0", **hidden},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _train(kind: str, devices: int, how: dict[str, Any], images: int, epochs: int) -> float | None:
    import keras
    import numpy as np
    import tensorflow as tf

    from pipeline.model.trainer import fit
    from pipeline.settings.sections import ModelConfig
    from pipeline.settings.training import TrainingConfig
    from tests.measure.training import held

    if kind == "GPU" and not tf.config.list_physical_devices("GPU"):
        return None
    if kind == "CPU":
        logical = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], logical
        )

    class Clock(keras.callbacks.Callback):
        seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.begun = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.ended = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(self.ended - self.begun)

    labels = (np.arange(images) % 2).astype(np.float32)
    data = held(np.random.default_rng(0).random((images, 64, 64, 1), np.float32), labels)
    few = held(data.pixels[:64], labels[:64])
    clock = Clock()
    fit(ModelConfig(epochs=epochs), data, few, TrainingConfig(**how), watched=(clock,))
    return images * (epochs - 1) / sum(clock.seconds[1:])


if __name__ == "__main__":
    given, count, settings, *sizes = sys.argv[1:]
    print(json.dumps(_train(given, int(count), json.loads(settings), *map(int, sizes))))
