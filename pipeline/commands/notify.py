"""`casegate notify`: whether a person would be told, and what could not be told."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.ending import echo_json, group
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from components.notify.delivery import Delivery
    from pipeline.settings.sections import NotifyConfig

UNDELIVERED = 2  # as for a setting that does not work

_config = options.config(
    "YAML file of settings; its section notify says who is told of what, and how."
)
_settings = options.settings()
_format = options.form()


@group()
def notify() -> None:
    """Being told of releases, blocked candidates, failures and drift."""


@notify.command()
@_config
@_settings
@_format
def test(config: Path | None, settings: tuple[str, ...], form: str) -> int:
    """Sends a test notice on every channel, now and once.

    Exits 0 where every channel took it, else 2.
    """
    from pipeline.unattended.notifying.notify import try_out

    deliveries = try_out(_notify_config(config, settings))
    if not deliveries and form == "text":
        click.echo("no channel is set: see notify.webhook, notify.smtp and notify.command")
        return UNDELIVERED
    _show_deliveries(deliveries, form)
    return 0 if {delivery.state for delivery in deliveries} == {"sent"} else UNDELIVERED


@notify.command()
@_config
@_settings
@options.workspace(exists=True)
@_format
def resend(config: Path | None, settings: tuple[str, ...], workspace: Path, form: str) -> int:
    """Tries once more what could not be delivered.

    What goes out is taken from the dead letters. Exits 0 where none is left, else 2.
    """
    from pipeline.unattended.notifying.notify import journal
    from pipeline.unattended.notifying.notify import resend as send_again

    place = Workspace(workspace.resolve())
    deliveries = send_again(_notify_config(config, settings), place)
    left = journal(place).dead()
    if form == "text" and not deliveries:
        click.echo("no dead letter")
    else:
        _show_deliveries(deliveries, form)
    if left.unreadable:
        click.echo(f"{journal(place).dead_path}: {left.unreadable} unreadable lines", err=True)
    return UNDELIVERED if left.letters or left.unreadable else 0


@notify.command()
@_config
@_settings
@options.workspace(exists=True)
@_format
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, metavar="N")
def show(
    config: Path | None, settings: tuple[str, ...], workspace: Path, form: str, limit: int
) -> int:
    """Shows the channels, what was sent last, and the dead letters."""
    from pipeline.unattended.notifying.notify import show_notices

    found = show_notices(_notify_config(config, settings), Workspace(workspace.resolve()), limit)
    if form == "json":
        echo_json(found)
    else:
        click.echo("\n".join(_lines(found)))
    return 0


def _notify_config(config: Path | None, settings: Sequence[str]) -> "NotifyConfig":
    from pipeline.settings.config import load_config

    return load_config(config, settings).notify


def _show_deliveries(deliveries: "Sequence[Delivery]", form: str) -> None:
    if form == "json":
        echo_json([vars(delivery) for delivery in deliveries])
        return
    for delivery in deliveries:
        why = f": {delivery.reasons[-1]}" if delivery.reasons else ""
        click.echo(f"{delivery.channel}: {delivery.state}{why}")


def _lines(found: dict[str, Any]) -> list[str]:
    from components.records.text import one_line

    lines = [f"told of: {', '.join(found['about']) or 'nothing'}"]
    lines += [f"{name}: {where}" for name, where in found["channels"].items()]
    if not found["channels"]:
        lines.append("no channel is set: see notify.webhook, notify.smtp and notify.command")
    lines += [
        f"sent {line['at']} by {line['channel']}: {line['subject']}" for line in found["sent"]
    ]
    lines += [
        f"dead since {letter['failed_at']} for {letter['channel']}: {letter['subject']} "
        f"({letter['reason']})"
        for letter in found["dead_letters"]
    ]
    if found["dead_letters"]:
        lines.append("`casegate notify resend` tries them again")
    if found["unreadable"]:
        lines.append(f"unreadable lines among the dead letters: {found['unreadable']}")
    return [one_line(line) for line in lines]
