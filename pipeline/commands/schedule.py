"""`casegate schedule`: retraining at its times, by systemd, by cron or in the foreground."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.ending import echo_json, group
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.unattended.scheduling.status import ScheduleStatus
    from pipeline.unattended.scheduling.systemd import UnitPlace

_of_job = options.stacked(
    options.config(
        "YAML file of settings; schedule.cron in it says when, in UTC.",
        exists=True,
        required=True,
    ),
    options.workspace(exists=False),
    options.settings(),
)
_name = click.option(
    "--name", metavar="NAME", help="What it is called; by default as the workspace's folder."
)
_directory = options.folder(
    "--directory", "A folder of unit files other than systemd's own.", metavar=None
)


@group()
def schedule() -> None:
    """When to retrain: once a week or as schedule.cron says, in UTC.

    A time that was missed is made up for once, not once for each time.
    """


@schedule.command()
@_of_job
@_name
@click.option("--systemd", "how", flag_value="systemd", help="A service and a timer.")
@click.option("--cron", "how", flag_value="cron", help="One line of your crontab.")
@click.option("--user", "scope", flag_value="user", help="Your own systemd's; not root's default.")
@click.option(
    "--system", "scope", flag_value="system", help="The system's systemd; root's default."
)
@_directory
@click.option("--print", "only_print", is_flag=True, help="Writes nothing; shows what it would.")
def install(
    how: str | None, scope: str | None, directory: Path | None, only_print: bool, **of_job: Any
) -> int:
    """Installs the schedule, with systemd where there is one, else with cron.

    Checks the settings first, and may be run again whenever they change.
    """
    from components.records.clock import current_time
    from components.records.errors import UsageError
    from pipeline.unattended.scheduling import crontab, systemd
    from pipeline.unattended.scheduling.job import check_notices, make_job
    from pipeline.unattended.scheduling.loop import Slots, stamp

    job = make_job(**of_job)
    wants_systemd = how == "systemd" or scope is not None or directory is not None
    if how == "cron" and wants_systemd:
        raise UsageError("--cron: got --user, --system or --directory as well, wanted none of them")
    place = None
    if wants_systemd or (how is None and shutil.which("systemctl")):
        place = _place(scope, directory)
    if only_print:
        files = systemd.unit_files(job, place) if place else {}
        shown = [f"# {path}\n{text}" for path, text in files.items()]
        click.echo("\n".join(shown or [crontab.line(job)]))
        return 0
    check_notices(job, place.secrets(job.name) if place else None)
    done = systemd.install(job, place) if place else crontab.install(job)
    if place is None:
        Slots(Workspace(job.workspace), job.cron).begin(current_time())
    click.echo("\n".join(done))
    click.echo(f"next: {stamp(job.cron.after(current_time()))} ({job.cron.expression}, UTC)")
    return 0


@schedule.command()
@options.workspace(exists=False)
@_name
@_directory
def remove(workspace: Path, name: str | None, directory: Path | None) -> int:
    """Removes what `install` wrote for this workspace, and nothing else."""
    from pipeline.unattended.scheduling import crontab, systemd
    from pipeline.unattended.scheduling.job import job_name

    chosen = job_name(name, workspace)
    done = [
        line for place in _places(directory) for line in systemd.remove(chosen, workspace, place)
    ]
    done += crontab.remove(chosen, workspace)
    click.echo("\n".join(done) or f"casegate-{chosen}: not installed for {workspace}")
    return 0


@schedule.command()
@_of_job
@_name
@_directory
@options.form()
def status(directory: Path | None, form: str, **of_job: Any) -> int:
    """Says where it is installed, what comes next, what came of the last, what was missed."""
    from components.records.clock import current_time
    from pipeline.unattended.scheduling.job import make_job
    from pipeline.unattended.scheduling.status import schedule_status

    found = schedule_status(make_job(**of_job), _places(directory), now=current_time())
    if form == "json":
        echo_json(found.as_json())
    else:
        click.echo("\n".join(_lines(found)))
    return 0


def _place(scope: str | None, directory: Path | None) -> "UnitPlace":
    """Where unit files go: root's to the system, anybody else's to their own systemd."""
    from pipeline.unattended.scheduling.systemd import system_place, user_place

    chosen = scope or ("system" if os.geteuid() == 0 else "user")
    place = system_place() if chosen == "system" else user_place()
    if directory is None or directory.absolute() == place.folder:
        return place
    return replace(place, folder=directory.absolute(), known=False)


def _places(directory: Path | None) -> "tuple[UnitPlace, ...]":
    """Everywhere that `install` may have written unit files."""
    from pipeline.unattended.scheduling.systemd import system_place, user_place

    places = (user_place(), system_place())
    if directory is None or directory.absolute() in [place.folder for place in places]:
        return places
    return (*places, _place(None, directory))


def _lines(found: "ScheduleStatus") -> list[str]:
    from components.records.text import one_line
    from pipeline.unattended.scheduling.loop import stamp

    rows = [("schedule", f"{found.cron} (UTC), next {stamp(found.next_slot)}")]
    for each in found.installed:
        words = {True: ", active", False: ", not active", None: ""}[each.active]
        words += "; by other settings than now: install it again" if each.outdated else ""
        rows.append(("installed", f"{each.how}, {each.where}{words}"))
    if not found.installed:
        rows.append(("installed", "nowhere; `casegate schedule run` needs no installation"))
    if found.running:
        rows.append(("running", "a retraining goes on"))
    rows.append(("last", _last(found.last_attempt)))
    if found.missed:
        rows.append(("missed", f"{stamp(found.missed)}; no scheduled retraining began since"))
    return [f"{name:<11}{one_line(words)}" for name, words in rows]


def _last(attempt: dict[str, Any] | None) -> str:
    if attempt is None:
        return "no retraining yet"
    why = f": {attempt['error']}" if attempt.get("error") else ""
    ended = f"{attempt.get('state')} at {attempt.get('finished')}"
    return f"{ended}, started by {attempt.get('trigger')}{why}"


@schedule.command()
@_of_job
@click.option("--once", is_flag=True, help="Runs what is due, if anything, and ends.")
def run(config: Path, workspace: Path, settings: tuple[str, ...], once: bool) -> int:
    """Retrains at each time of schedule.cron, until it is told to end.

    Of several on one workspace, one runs each time. SIGTERM ends it, and a retraining that goes on
    with it, which is then made up for at the next start. With --once, exits as `casegate retrain`
    does, or with 0 and without a word where nothing is due.
    """
    from components.records.clock import current_time
    from pipeline.settings.config import load_config
    from pipeline.unattended.notifying.channels import check as check_notify
    from pipeline.unattended.retraining.notice import show_retrained
    from pipeline.unattended.retraining.retrain import retrain, terminated_as_interrupted
    from pipeline.unattended.scheduling.cron import Cron
    from pipeline.unattended.scheduling.loop import Loop, Slots, stamp

    read = load_config(config, settings)
    check_notify(read.notify)
    cron, place = Cron.parse(read.schedule.cron), Workspace(workspace.resolve())

    def retrain_for(slot: "datetime") -> int:
        """With the settings as the file then has them."""
        why = f"due {stamp(slot)}"
        done = retrain(config, settings, place, trigger="schedule", why=why, say=_say)
        show_retrained(done)
        if done.attempt.error:
            click.echo(done.attempt.error, err=True)
        return done.exit_code

    loop = Loop(Slots(place, cron), retrain_for, _say)
    with terminated_as_interrupted():
        if once:
            return loop.once()
        _say(f"waiting for {cron.expression} (UTC), next {stamp(cron.after(current_time()))}")
        return loop.forever()


def _say(line: str) -> None:
    from components.records.clock import current_time
    from pipeline.unattended.scheduling.loop import stamp

    click.echo(f"{stamp(current_time())} {line}")
