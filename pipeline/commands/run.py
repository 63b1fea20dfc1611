"""`casegate run` and `casegate retrain`: the whole pipeline, to a verdict."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_json
from pipeline.settings.workspace import Workspace


@command()
@options.config()
@options.data("phantom[:site=A,...], a MedMNIST .npz, medmnist:NAME, or a folder.")
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
    workspace: Path,
    skip_bad_cases: int | None,
    trigger: str | None,
    why: str | None,
    form: str,
    **given: Any,
) -> int:
    """Trains, judges and, where the verdict is PASS, releases."""
    from rich.console import Console

    from components.lineage.record import Why
    from pipeline.run.runner import run as run_pipeline
    from pipeline.run.show_run import RunProgress, own_stream, show_outcome
    from pipeline.settings.config import load_config
    from pipeline.settings.provenance import where

    path, overrides = options.with_data(**given)
    if skip_bad_cases is not None:
        overrides.append(f"data.skip_bad_cases={skip_bad_cases}")
    config = load_config(path, overrides)
    started = Why(trigger or ("commit" if where().ci_provider else "manual"), why or None)
    as_json = form == "json"
    stream = own_stream(2 if as_json else 1)
    console = Console(file=stream, width=None if stream.isatty() else 120)
    with RunProgress(console).display() as progress:
        outcome = run_pipeline(config, workspace, listener=progress, why=started)
    if as_json:
        echo_json(outcome.as_json())
    else:
        show_outcome(console, outcome)
    return outcome.exit_code


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
def retrain(workspace: Path, form: str, trigger: str, why: str | None, **given: Any) -> int:
    """Runs the pipeline once under supervision, and tells a person what came of it.

    One at a time, with limits to time, memory and disk, and with new tries where those are worth
    it: see `retraining` and `notify` in the settings.
    """
    from pipeline.unattended.retraining.notice import show_retrained
    from pipeline.unattended.retraining.retrain import retrain as retrain_once

    as_json = form == "json"
    say = partial(click.echo, err=as_json)
    settings = options.with_data(**given)
    retrained = retrain_once(*settings, Workspace(workspace), trigger=trigger, why=why, say=say)
    if as_json:
        echo_json(retrained.as_json())
    else:
        show_retrained(retrained)
    if retrained.attempt.error:
        click.echo(retrained.attempt.error, err=True)
    return retrained.exit_code
