"""`casegate monitor`: whether what is served still looks like what the model was made on."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_json
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.unattended.retraining.attempt import Retrained


@command()
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Prediction log, .jsonl or .jsonl.gz.  [default: monitoring.log, or predictions/ in the "
    "workspace]",
)
@options.config("YAML file of settings.")
@options.workspace(exists=True)
@options.settings()
@click.option(
    "--retrain",
    is_flag=True,
    help="Starts a retraining where something moved, once per monitoring.cooldown_days.",
)
@options.form()
def monitor(
    log: Path | None,
    config: Path | None,
    workspace: Path,
    settings: tuple[str, ...],
    retrain: bool,
    form: str,
) -> int:
    """Compares what the released model predicted lately with its own data.

    Exits 0 where nothing moved, 1 where something did, 3 where there are not enough cases to tell,
    2 where the log cannot be read, and 5 where nothing is released to compare with.
    """
    from pipeline.settings.config import load_config
    from pipeline.unattended.monitoring.monitor import monitor as look
    from pipeline.unattended.monitoring.show_monitor import as_text
    from pipeline.unattended.retraining.notice import show_retrained

    overrides = [*settings, *(["monitoring.retrain=true"] if retrain else [])]
    place = Workspace(workspace.resolve())
    monitored = look(load_config(config, overrides), place, log)
    if form == "text":
        click.echo(as_text(monitored, terminal=sys.stdout.isatty()), nl=False)
    done = None
    if monitored.may_retrain:
        done = _retrained(config, overrides, place, why=monitored.why)
    if form == "json":
        echo_json({**monitored.as_json(), "retrained": done and done.as_json()})
    elif done:
        show_retrained(done)
    return monitored.exit_code


def _retrained(
    config: Path | None, settings: list[str], place: Workspace, *, why: str
) -> "Retrained | None":
    """What became of the retraining; a failure of it is shown, and leaves the drift as it is."""
    from components.records.errors import CasegateError
    from pipeline.unattended.retraining.retrain import retrain

    say = partial(click.echo, err=True)  # beside the answer
    try:
        return retrain(config, settings, place, trigger="drift", why=why, say=say)
    except CasegateError as error:
        click.echo(f"retraining: {error.line}", err=True)
        return None
