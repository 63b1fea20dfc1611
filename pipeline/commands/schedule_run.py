"""`casegate schedule run`: the schedule kept by this process, for containers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared import refusing_in_one_line, workspace_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pipeline.settings.workspace import Workspace


def of_job(command: Any) -> Any:
    """What says which retraining is meant."""
    options = (
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            required=True,
            help="YAML file of settings; schedule.cron in it says when, in UTC.",
        ),
        workspace_option(exists=False),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Overrides one setting; may be repeated.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@of_job
@click.option("--once", is_flag=True, help="Runs what is due, if anything, and ends.")
@refusing_in_one_line
def run(config: Path, workspace: Path, settings: tuple[str, ...], once: bool) -> int:
    """Retrains at each time of schedule.cron, until it is told to end.

    Of several on one workspace, one runs each time. SIGTERM ends it, and a retraining that goes on
    with it, which is then made up for at the next start. With --once, exits as `casegate retrain`
    does, or with 0 and without a word where nothing is due.
    """
    from components.records.clock import current_time
    from pipeline.settings.config import load_config
    from pipeline.settings.workspace import Workspace
    from pipeline.unattended.notifying.channels import check as check_notify
    from pipeline.unattended.retraining.retrain import terminated_as_interrupted
    from pipeline.unattended.scheduling.cron import Cron
    from pipeline.unattended.scheduling.loop import Loop, Slots, stamp

    read = load_config(config, settings)
    check_notify(read.notify)
    cron, place = Cron.parse(read.schedule.cron), Workspace(workspace.resolve())
    loop = Loop(Slots(place, cron), _runner(config, settings, place), _say)
    with terminated_as_interrupted():
        if once:
            return loop.once()
        _say(f"waiting for {cron.expression} (UTC), next {stamp(cron.after(current_time()))}")
        return loop.forever()


def _runner(
    config: Path, settings: tuple[str, ...], workspace: "Workspace"
) -> "Callable[[datetime], int]":
    """Retrains for a slot, with the settings as the file then has them."""

    def retrain_for(slot: "datetime") -> int:
        from pipeline.unattended.retraining.notice import show_retrained
        from pipeline.unattended.retraining.retrain import retrain
        from pipeline.unattended.scheduling.loop import stamp

        retrained = retrain(
            config, settings, workspace, trigger="schedule", why=f"due {stamp(slot)}", say=_say
        )
        show_retrained(retrained)
        if retrained.attempt.error:
            click.echo(retrained.attempt.error, err=True)
        return retrained.exit_code

    return retrain_for


def _say(line: str) -> None:
    from components.records.clock import current_time
    from pipeline.unattended.scheduling.loop import stamp

    click.echo(f"{stamp(current_time())} {line}")
