"""One machine's part of a training on several, as a program: python -m pipeline.model.member.

Its arguments are the request, and on the first machine the file for the weights. It says how far it
is as JSON, a line each, and ends with the process that started it.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow_transform as tft

from components.records import events
from components.records.errors import CasegateError
from components.records.problems import json_line
from pipeline.model.batches import open_records
from pipeline.model.board import TrainingBoard
from pipeline.model.cluster import refuse_other_code
from pipeline.model.faults import explained_faults
from pipeline.model.replicated import open_strategy
from pipeline.model.trainer import fit, read_settings


class Heartbeat(keras.callbacks.Callback):
    """Says once a second at most that a step was made."""

    said = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if time.monotonic() - self.said > 1:
            self.said = time.monotonic()
            _say({"step": batch})


def main() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asked, *weights = map(Path, sys.argv[1:])
    try:
        with events.listen(lambda event: _say({"detail": event.detail})):
            network, found = _trained(asked, first=bool(weights))
    except CasegateError as error:
        print(json_line(error), flush=True)
        sys.exit(error.exit_code)
    for path in weights:
        np.savez(path, *network.get_weights())
    _say({"found": found})


def _trained(asked: Path, *, first: bool) -> tuple[keras.Model, dict[str, Any]]:
    model, how = read_settings(json.loads(asked.read_bytes()))
    with explained_faults(model, how, devices=1):
        strategy = open_strategy(how)  # first of all, as nothing may be computed before
    # Again, now that the machines have met: what lay there before may be a killed run's.
    request = json.loads(asked.read_bytes())
    refuse_other_code(request, asked)
    model, how = read_settings(request)
    transform = tft.TFTransformOutput(request["transform"])
    files = request["train"], request["tune"]
    train, tune = (open_records(each, transform, model.image_size) for each in files)
    watched: list[keras.callbacks.Callback] = [Heartbeat()]
    board = TrainingBoard(Path(request["board"]), train.count) if first else None
    if board:
        watched.append(board)
    network, found = fit(model, train, tune, how, strategy=strategy, watched=watched)
    return network.model, found | ({"step_ms": board.step_ms} if board else {})


def _say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def _end_with_parent() -> None:
    sys.stdin.read()  # until nobody holds the other end any more
    os._exit(1)


if __name__ == "__main__":
    main()
