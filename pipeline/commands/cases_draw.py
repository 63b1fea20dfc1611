"""`casegate cases draw`: a folder of training data, to try spans and monitoring with."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pipeline.commands.shared import refusing_in_one_line


@click.command()
@click.option(
    "--data",
    required=True,
    metavar="SOURCE",
    help="Whose training and tuning cases, e.g. phantom:n=400,seed=3,season=winter.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="A new folder, e.g. data/phantom/span-0001.",
)
@refusing_in_one_line
def draw(data: str, out: Path) -> int:
    """Writes SOURCE's training and tuning cases as images with a manifest.csv.

    The folder takes its name when it is complete, as a span has to arrive.
    """
    from components.cases.draw import draw as write
    from components.cases.sources import open_source

    source = open_source(data)
    with _progress() as progress:
        drawn = write(source, out, progress=progress)
    click.echo(
        f"{out}: {drawn.cases:,} cases of {drawn.patients:,} patients, {drawn.positives:,} "
        f"positive, from {source.spec}"
    )
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as view:
        bar = view.add_task("drawing", total=None)
        yield lambda done, of: view.update(bar, completed=done, total=of)
