"""`casegate retrain`: the whole pipeline, unattended."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_json
from pipeline.settings.workspace import Workspace


@command()
@options.config()
@options.data("As `casegate run` takes it; with {SPAN} in a path, the spans that are there.")
@options.workspace(exists=False)
@options.settings()
@click.option(
    "--trigger",
    type=click.Choice(["schedule", "drift", "manual"]),
    default="manual",
    show_default=True,
    help="What started this retraining, for its record.",
)
@options.why()
@options.form()
def retrain(
    config: Path | None,
    data: str | None,
    workspace: Path,
    settings: tuple[str, ...],
    form: str,
    **cause: Any,
) -> int:
    """Runs the pipeline once under supervision, and tells a person what came of it.

    One at a time, with limits to time, memory and disk, and with new tries where those are worth
    it: see `retraining` and `notify` in the settings.
    """
    from pipeline.settings.config import shipped_config
    from pipeline.unattended.retraining.notice import show_retrained
    from pipeline.unattended.retraining.retrain import retrain as retrain_once

    as_json = form == "json"
    retrained = retrain_once(
        config or shipped_config(data or "phantom"),
        options.with_data(settings, data),
        Workspace(workspace),
        say=partial(click.echo, err=as_json),
        **cause,
    )
    if as_json:
        echo_json(retrained.as_json())
    else:
        show_retrained(retrained)
    if retrained.attempt.error:
        click.echo(retrained.attempt.error, err=True)
    return retrained.exit_code
