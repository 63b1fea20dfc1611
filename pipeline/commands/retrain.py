"""`casegate retrain`: the whole pipeline, unattended."""

import json
from pathlib import Path

import click

from pipeline.commands.shared import echo_json, refusing_in_one_line, workspace_option


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of settings; without it the one shipped for the data, if any.",
)
@click.option(
    "--data",
    metavar="SOURCE",
    help="As `casegate run` takes it; with {SPAN} in a path, the spans that are there.",
)
@workspace_option(exists=False)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Overrides one setting; may be repeated.",
)
@click.option(
    "--trigger",
    type=click.Choice(["schedule", "drift", "manual"]),
    default="manual",
    show_default=True,
    help="What started this retraining, for its record.",
)
@click.option("--why", metavar="TEXT", help="One line for the run's record.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@refusing_in_one_line
def retrain(
    config: Path | None,
    data: str | None,
    workspace: Path,
    settings: tuple[str, ...],
    trigger: str,
    why: str | None,
    format_: str,
) -> int:
    """Runs the pipeline once under supervision, and tells a person what came of it.

    One at a time, with limits to time, memory and disk, and with new tries where those are worth
    it: see `retraining` and `notify` in the settings.
    """
    from pipeline.settings.config import shipped_config
    from pipeline.settings.workspace import Workspace
    from pipeline.unattended.retraining.notice import show_retrained
    from pipeline.unattended.retraining.retrain import retrain as retrain_once

    overrides = list(settings)
    if data is not None:
        overrides.append(f"data.source={json.dumps(data)}")
    as_json = format_ == "json"
    retrained = retrain_once(
        config or shipped_config(data or "phantom"),
        overrides,
        Workspace(workspace),
        trigger=trigger,
        why=why,
        say=lambda line: click.echo(line, err=as_json),
    )
    if as_json:
        echo_json(retrained.as_json())
    else:
        show_retrained(retrained)
    if retrained.attempt.error:
        click.echo(retrained.attempt.error, err=True)
    return retrained.exit_code
