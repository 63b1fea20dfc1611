"""`casegate worker`: processes that do a run's work on other machines."""

import signal
from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import group


@group()
def worker() -> None:
    """Processes on other machines that do part of a run (beam.engine, training.strategy)."""


@worker.command()
@click.option(
    "--bind",
    default="127.0.0.1:50000",
    show_default=True,
    metavar="HOST:PORT",
    help="The one address to listen on, as beam.worker_pool names it.",
)
def pool(bind: str) -> int:
    """Starts workers for the runs that ask, until it is stopped; one pool for each machine.

    Whoever reaches the address may run code here: keep it on a network of your own.
    """
    from pipeline.run.workers import start_pool

    workers, server, address = start_pool(bind)
    signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
    click.echo(f"workers for beam.worker_pool: {address}")
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(0)
    finally:
        workers.stop()
    return 0


@worker.command()
@options.workspace(exists=False)
@click.option(
    "--wait-minutes",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long to wait for a run that asks for this machine.",
)
def train(workspace: Path, wait_minutes: float) -> int:
    """Trains with a run whose training.strategy is multi_worker, once, and ends with it.

    TF_CONFIG says which of the machines this is; the workspace is the run's, under the same path.
    """
    from components.records import events
    from pipeline.model.cluster import ASKED, join, read_place

    place = read_place()
    click.echo(f"machine {place.index + 1} of {len(place.machines)}, waiting for a run")
    with events.listen(lambda event: click.echo(event.detail)):
        join(workspace / ASKED, wait_minutes=wait_minutes)
    return 0
