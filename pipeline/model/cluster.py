"""Training on several machines: the run asks a process of its own on each of them.

TensorFlow joins machines only in a process that has computed nothing yet, and cannot go on in it
once one of them is lost. So each machine trains in a child (`pipeline.model.member`), whose parent
says in one line what became of it.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from components.records import events
from components.records.errors import ConfigError, DeviceLost
from components.records.files import write_atomically
from components.records.problems import parse_json_line
from pipeline.settings.deciding import deciding_sha256

VARIABLE = "TF_CONFIG"
# Beside the pipeline's problems in the workspace, while its run waits for the other machines.
ASKED = ".training.json"
WANTED = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Place:
    """One of the machines that train together; the first one has the run."""

    machines: tuple[str, ...]
    index: int


def read_place() -> Place:
    """This machine's place, from TF_CONFIG.

    Raises:
      ConfigError: it is not set, or is no list of two workers or more.
    """
    text = os.environ.get(VARIABLE, "")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        given = json.loads(text)
        machines, task = given["cluster"]["worker"], given["task"]
        place = Place(tuple(map(str, machines)), range(len(machines))[task["index"]])
        if [*given["cluster"], task["type"]] == ["worker", "worker"] and len(machines) > 1:
            return place
    raise ConfigError(f"{VARIABLE}: got {text!r}, wanted {WANTED} with two machines or more")


def refuse_unfit_place() -> None:
    """Raises ConfigError where a run with several machines cannot begin here."""
    if read_place().index != 0:
        raise ConfigError(
            f"{VARIABLE}: got a task index above 0 for a run, wanted 0; on the other machines "
            "start `casegate worker train` instead"
        )


def train_together(
    request: Mapping[str, Any], asked: Path
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Trains with the machines of TF_CONFIG; the weights, and what the record says of them.

    Args:
      request: what `pipeline.model.member` reads.
      asked: where the other machines look for it.

    Raises:
      DeviceLost: a machine is gone, or nothing was heard of it for too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.npz"
        write_atomically(asked, json.dumps(dict(request)).encode())
        try:
            found = run_member(request, asked, weights)
        finally:
            asked.unlink(missing_ok=True)
        with np.load(weights, allow_pickle=False) as kept:
            return [kept[name] for name in kept.files], found


def join(asked: Path, *, wait_minutes: float) -> None:
    """Waits for a run to ask for this machine, and trains with it.

    Raises:
      ConfigError: no run asked in time, or one of other code.
      DeviceLost: as `train_together`.
    """
    until = time.monotonic() + 60 * wait_minutes
    while not asked.exists():
        if time.monotonic() > until:
            raise ConfigError(
                f"{asked.parent}: no run asked for this machine within {wait_minutes:g} minutes; "
                "start one there with training.strategy=multi_worker"
            )
        time.sleep(1)
    run_member(json.loads(asked.read_bytes()), asked, None)


def refuse_other_code(request: Mapping[str, Any], asked: Path) -> None:
    """Raises ConfigError where the run that asks was started by other code than is here."""
    got, wanted = request["deciding_sha256"], deciding_sha256()
    if got != wanted:
        raise ConfigError(
            f"{asked.parent}: got a run of other code, {got[:12]}, wanted {wanted[:12]}; install "
            "the same version on every machine"
        )


def run_member(request: Mapping[str, Any], asked: Path, weights: Path | None) -> dict[str, Any]:
    """This machine's part of a training, in a child; what its record says of it."""
    command = [sys.executable, "-m", "pipeline.model.member", str(asked)]
    wait_minutes = request["training"]["wait_minutes"]
    with _child([*command, *([str(weights)] if weights else [])]) as child:
        for line in _lines(child, 60 * wait_minutes):
            if error := parse_json_line(line):
                raise error
            told = json.loads(line) if line.startswith("{") else {}
            if "detail" in told:
                events.publish("progress", detail=told["detail"])
            elif "found" in told:
                return dict(told["found"])
    raise DeviceLost(
        f"training: the process that trained here ended by {child.wait()}; look in the log, and at "
        f"the machines of {VARIABLE}: {', '.join(read_place().machines)}"
    )


@contextlib.contextmanager
def _child(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def _lines(child: "subprocess.Popen[str]", wait_s: float) -> Iterator[str]:
    """What the child says, line by line, until it ends."""
    said: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(child.stdout, said), daemon=True).start()
    while True:
        try:
            line = said.get(timeout=wait_s)
        except queue.Empty:
            raise DeviceLost(
                f"training: no step was made for {wait_s / 60:g} minutes (training.wait_minutes); "
                f"start, or look after, the machines of {VARIABLE}: "
                f"{', '.join(read_place().machines)}"
            ) from None
        if not line:
            return
        yield line


def _read(stream: IO[str], said: "queue.Queue[str]") -> None:
    for line in stream:
        said.put(line)
    said.put("")
