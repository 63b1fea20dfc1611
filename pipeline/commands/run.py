"""`casegate run`: the whole pipeline, to a verdict."""

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
    help="phantom[:n=2000,...], a MedMNIST .npz, medmnist:NAME, or a folder.",
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
    "--skip-bad-cases",
    type=click.IntRange(min=0),
    metavar="N",
    help="Tolerates up to N unusable cases, and lists them.",
)
@click.option(
    "--trigger",
    type=click.Choice(["commit", "schedule", "drift", "manual"]),
    help="What started this run, for its record; by default commit in CI, else manual.",
)
@click.option("--why", metavar="TEXT", help="One line for the run's record.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@refusing_in_one_line
def run(
    config: Path | None,
    data: str | None,
    workspace: Path,
    settings: tuple[str, ...],
    skip_bad_cases: int | None,
    trigger: str | None,
    why: str | None,
    format_: str,
) -> int:
    """Trains, judges and, where the verdict is PASS, releases."""
    from rich.console import Console

    from components.lineage.record import Why
    from pipeline.run.runner import run as run_pipeline
    from pipeline.run.show_run import Progress, own_stream, show_outcome
    from pipeline.settings.config import load_config, shipped_config
    from pipeline.settings.provenance import where

    overrides = list(settings)
    if data is not None:
        overrides.append(f"data.source={json.dumps(data)}")
    if skip_bad_cases is not None:
        overrides.append(f"data.skip_bad_cases={skip_bad_cases}")
    resolved = load_config(config or shipped_config(data or "phantom"), overrides)
    started = trigger or ("commit" if where().ci_provider else "manual")
    as_json = format_ == "json"
    stream = own_stream(2 if as_json else 1)
    console = Console(file=stream, width=None if stream.isatty() else 120)
    with Progress(console).shown() as progress:
        outcome = run_pipeline(
            resolved, workspace, listener=progress, why=Why(started, why or None)
        )
    if as_json:
        echo_json(outcome.as_json())
    else:
        show_outcome(console, outcome)
    return outcome.exit_code
