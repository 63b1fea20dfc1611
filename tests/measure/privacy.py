"""How much a promise of differential privacy costs: python -m tests.measure.privacy FILE.npz OUT.

Trains as the pipeline does, with epsilon 1, 3, 8 and none, and judges on the test split. Each line
of OUT is one training; a training that is there already is not done again.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np

from components.cases.sources import open_source
from components.statistics.auc import auc
from pipeline.model.trainer import fit
from pipeline.settings.config import load_config, shipped_config
from pipeline.settings.training import PrivacyConfig, TrainingConfig
from tests.measure.training import read_split

EPSILONS = (None, 8.0, 3.0, 1.0)
NETWORKS = {
    # Large batches and steps: what private training is known to need.
    "small": {"network": "small"},
    "efficientnet_lite0, frozen": {
        "network": "efficientnet_lite0",
        "options": {"last_blocks": 0},
        "image_size": 112,
    },
}


def measure(source: str, network: str, epsilon: float | None, seed: int) -> dict[str, object]:
    model = load_config(shipped_config(source)).model
    model = dataclasses.replace(model, seed=seed, patience=1000, **NETWORKS[network])
    if epsilon is not None:
        model = dataclasses.replace(model, batch_size=256, augment=False)
    how = TrainingConfig(privacy=PrivacyConfig(epsilon=epsilon))
    train, tune, test = (
        read_split(source, split, model.image_size).records for split in ("train", "tune", "test")
    )
    begun = time.process_time()
    made, found = fit(model, train, tune, how)
    seconds = time.process_time() - begun
    pixels, labels = test.arrays()
    scores = made.model.predict(pixels, verbose=0)[:, 0].astype(np.float64)
    return {
        "source": Path(source).name,
        "network": network,
        "epsilon": epsilon,
        "seed": seed,
        "auc": round(auc(scores, labels == 1).estimate, 4),
        "processor_seconds": round(seconds, 1),
        "epochs": found["epochs"],
        "promise": found.get("privacy"),
    }


if __name__ == "__main__":
    given, out = sys.argv[1], Path(sys.argv[2])
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    seen = {(each["source"], each["network"], each["epsilon"], each["seed"]) for each in done}
    for seed in (1, 2, 3):
        for network in sys.argv[3:] or NETWORKS:
            for epsilon in EPSILONS:
                if (Path(given).name, network, epsilon, seed) in seen:
                    continue
                open_source(given)
                line = json.dumps(measure(given, network, epsilon, seed))
                print(line, flush=True)
                with out.open("a") as lines:
                    lines.write(line + "\n")
