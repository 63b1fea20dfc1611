"""`casegate run`: the whole pipeline, to a verdict."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_json


@command()
@options.config()
@options.data("phantom[:n=2000,...], a MedMNIST .npz, medmnist:NAME, or a folder.")
@options.workspace(exists=False)
@options.settings()
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
@options.why()
@options.form()
def run(
    config: Path | None,
    data: str | None,
    workspace: Path,
    settings: tuple[str, ...],
    skip_bad_cases: int | None,
    trigger: str | None,
    why: str | None,
    form: str,
) -> int:
    """Trains, judges and, where the verdict is PASS, releases."""
    from rich.console import Console

    from components.lineage.record import Why
    from pipeline.run.runner import run as run_pipeline
    from pipeline.run.show_run import RunProgress, own_stream, show_outcome
    from pipeline.settings.config import load_config, shipped_config
    from pipeline.settings.provenance import where

    overrides = options.with_data(settings, data)
    if skip_bad_cases is not None:
        overrides.append(f"data.skip_bad_cases={skip_bad_cases}")
    resolved = load_config(config or shipped_config(data or "phantom"), overrides)
    started = trigger or ("commit" if where().ci_provider else "manual")
    as_json = form == "json"
    stream = own_stream(2 if as_json else 1)
    console = Console(file=stream, width=None if stream.isatty() else 120)
    with RunProgress(console).display() as progress:
        outcome = run_pipeline(
            resolved, workspace, listener=progress, why=Why(started, why or None)
        )
    if as_json:
        echo_json(outcome.as_json())
    else:
        show_outcome(console, outcome)
    return outcome.exit_code
