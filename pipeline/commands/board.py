"""`casegate board`: TensorBoard on the runs of a workspace."""

import os
import sys
from pathlib import Path

import click

from components.records.errors import ConfigError
from components.records.run_files import BOARD
from pipeline.commands import options
from pipeline.commands.ending import command
from pipeline.settings.workspace import Workspace


@command()
@options.workspace(exists=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6006, show_default=True, help="0 takes any."
)
def board(workspace: Path, host: str, port: int) -> int:
    """Starts TensorBoard on the runs of a workspace, until it is stopped.

    Whoever reaches the address sees the pictures of the lost cases: keep to this machine.
    """
    runs = Workspace(workspace.resolve()).runs
    found = sorted(runs.glob(f"*/{BOARD}"))
    if not found:
        raise ConfigError(f"{runs}: no run left figures there; run the pipeline first")
    click.echo(f"{len(found)} runs; the newest is {found[-1].parent.name}", err=True)
    words = ["--logdir", str(runs), "--host", host, "--port", str(port)]
    program = [sys.executable, "-m", "tensorboard.main", *words]
    sys.stderr.flush()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a page of TensorFlow's otherwise
    os.execv(program[0], program)  # noqa: S606 - a list of arguments, no shell
