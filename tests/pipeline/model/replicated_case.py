"""One training for `test_replicated.py`: devices and settings in, what came of it out as JSON."""

import json
import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import numpy as np
import tensorflow as tf

from components.records import events
from pipeline.model import trainer
from pipeline.model.networks.building import build
from pipeline.model.networks.contract import Network
from pipeline.settings.sections import ModelConfig
from pipeline.settings.training import TrainingConfig
from tests.measure.training import held

OWN = "tests.pipeline.model.networks.own"


def main() -> None:
    count, settings = int(sys.argv[1]), json.loads(sys.argv[2])
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, devices)
    network, dropout = settings.pop("network", "small"), settings.pop("dropout")
    model = ModelConfig(
        network=network if network == "small" else f"{OWN}:{network}",
        image_size=16,
        filters=(4, 8),
        dropout=dropout,
        batch_size=16,
        epochs=3,
        head_epochs=2,
        learning_rate=0.01,
    )
    rng = np.random.default_rng(0)
    labels = (np.arange(2 * 77) % 3 == 0).astype(np.float32)
    bright = labels[:, None, None, None] * np.float32(0.1)
    pixels = rng.random((labels.size, 16, 16, 1), np.float32) * np.float32(0.9) + bright
    train, tune = (held(pixels[part::2], labels[part::2]) for part in (0, 1))
    told: list[dict[str, float]] = []
    trainer.refuse_nan = lambda logs, at: told.append(dict(logs))  # type: ignore[assignment]
    made: list[Network] = []
    trainer.build = lambda model: made.append(build(model)) or made[-1]  # type: ignore[func-returns-value]
    with events.listen(lambda event: None):
        built, found = trainer.fit(model, train, tune, TrainingConfig(**settings))
    given = tune.pixels
    found["losses"] = [logs["loss"] for logs in told]
    found["aucs"] = [logs["val_auc"] for logs in told]
    found["scores"] = np.asarray(built.model(given, training=False))[:, 0].tolist()
    if settings["strategy"] == "one":
        found["as_trained"] = made[0].model.predict(given, verbose=0)[:, 0].tolist()
    found["computed_in"] = [layer.compute_dtype for layer in built.model.layers]
    found["kept_in"] = [str(np.asarray(weights).dtype) for weights in built.model.get_weights()]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
