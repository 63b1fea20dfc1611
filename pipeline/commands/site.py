"""`casegate site`: what a hospital does by itself, on its own data."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import group


@group()
def site() -> None:
    """A hospital's part in a model of several: its data stay where they are."""


@site.command()
@options.config()
@options.data("As `casegate run` takes it: this site's own.")
@options.workspace(exists=False)
@options.settings()
def join(workspace: Path, **given: Any) -> int:
    """Trains with other hospitals in a run whose training.strategy is federated, to its end.

    The site's data are admitted by its own rules first. Weights, counts and hashes leave it.
    """
    from rich.console import Console

    from pipeline.run.joining import join as join_training
    from pipeline.run.show_run import RunProgress, own_stream
    from pipeline.settings.config import load_config

    config = load_config(*options.with_data(**given))
    stream = own_stream(1)
    console = Console(file=stream, width=None if stream.isatty() else 120)
    with RunProgress(console).display() as progress:
        join_training(config, workspace, listener=progress)
    click.echo(f"took part; what left this site is in {workspace / 'runs'}")
    return 0
