"""`casegate worker`: processes that do a run's work on other machines."""

import signal

import click

from pipeline.commands.ending import group


@group()
def worker() -> None:
    """Workers for runs on other engines than this process (beam.engine)."""


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
