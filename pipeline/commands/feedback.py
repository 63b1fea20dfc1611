"""`casegate feedback`: what readers decided about served cases, and what is made of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared import echo_json, echo_utf8, refusing_in_one_line, workspace_option

if TYPE_CHECKING:
    from pipeline.feedback.places import FeedbackPlaces
    from pipeline.feedback.served import ServedCases
    from pipeline.settings.config import Config

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def feedback() -> None:
    """What readers decided about cases that were served.

    Every opinion stays in feedback.jsonl in the workspace, chained by hashes as the ledger is; of
    each reader the newest one on a case counts.
    """


def _configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`, `--set` and `--log`, by which every command finds the same things."""
    for option in (
        click.option("--log", type=click.Path(path_type=Path), metavar="FILE|DIR", help=_LOG),
        click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE"),
        click.option("--config", type=_FILE, help="YAML file of settings."),
    ):
        command = option(command)
    return command


_LOG = "The prediction log; default: monitoring.log, or predictions/ in the workspace."


def _opened(
    config: Path | None, settings: tuple[str, ...], workspace: Path, log: Path | None
) -> "tuple[Config, FeedbackPlaces, ServedCases]":
    from pipeline.feedback.places import FeedbackPlaces
    from pipeline.feedback.served import ServedCases
    from pipeline.settings.config import load_config
    from pipeline.settings.workspace import Workspace

    resolved, place = load_config(config, settings), Workspace(workspace.resolve())
    served = ServedCases(place.prediction_log(log, resolved.monitoring.log))
    return resolved, FeedbackPlaces(place.root), served


@feedback.command()
@click.option("--case", "case_id", metavar="ID", help="As the prediction log names it.")
@click.option("--image", type=_FILE, help="The image that was served; a copy is kept.")
@click.option("--label", type=click.Choice(["positive", "negative", "unsure"]), required=True)
@click.option("--by", required=True, metavar="NAME", help="Who read the case.")
@click.option("--note", metavar="TEXT", help="At most 2000 characters.")
@click.option("--adjudicates", is_flag=True, help="Settles the case, whatever other readers say.")
@_configured
@workspace_option(exists=True)
@refusing_in_one_line
def add(
    case_id: str | None,
    image: Path | None,
    label: str,
    by: str,
    note: str | None,
    adjudicates: bool,
    config: Path | None,
    settings: tuple[str, ...],
    log: Path | None,
    workspace: Path,
) -> int:
    """Records what a reader says of a case that was served; refuses any other case."""
    from pipeline.feedback.add import GivenOpinion
    from pipeline.feedback.add import add as record
    from pipeline.feedback.show import opinion_line

    _, places, served = _opened(config, settings, workspace, log)
    given = GivenOpinion(label, by, note, adjudicates)
    click.echo(opinion_line(record(places, served, given, case_id=case_id, image=image)))
    return 0


@feedback.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="csv is the worklist alone.",
)
@_configured
@workspace_option(exists=True)
@refusing_in_one_line
def report(
    format_: str,
    config: Path | None,
    settings: tuple[str, ...],
    log: Path | None,
    workspace: Path,
) -> int:
    """How far model and readers agree, and the cases that somebody has to look at."""
    from pipeline.feedback.report import make_report

    resolved, places, served = _opened(config, settings, workspace, log)
    found = make_report(places, served, readers=resolved.feedback.readers)
    if format_ == "json":
        echo_json(found.as_json())
    elif format_ == "csv":
        echo_utf8(found.worklist_csv())
    else:
        from rich.console import Console

        from pipeline.feedback.show import show_report

        show_report(Console(highlight=False), found)
    return 0


@feedback.command()
@click.option("--by", required=True, metavar="NAME", help="Who promotes.")
@click.option("--reason", required=True, metavar="TEXT")
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Where images of served cases are; found by their pixels.",
)
@click.option("--dry-run", is_flag=True, help="Says what would be done, and writes nothing.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@_configured
@workspace_option(exists=True)
@refusing_in_one_line
def promote(
    by: str,
    reason: str,
    images: Path | None,
    dry_run: bool,
    format_: str,
    config: Path | None,
    settings: tuple[str, ...],
    log: Path | None,
    workspace: Path,
) -> int:
    """Makes settled cases the next training span, and proposes missed ones as sentinels.

    A case is settled where enough readers agree (feedback.readers), or by an adjudicator. None is
    ever sent to both sides, nor is any patient.
    """
    from pipeline.feedback import promote as promoting
    from pipeline.settings.workspace import Workspace

    resolved, places, served = _opened(config, settings, workspace, log)
    place = Workspace(places.workspace)
    if dry_run:
        done = promoting.preview(resolved, place, served, images)
    else:
        done = promoting.promote(resolved, place, served, by=by, reason=reason, images=images)
    if format_ == "json":
        echo_json(done.as_json())
        return 0
    from rich.console import Console

    from pipeline.feedback.show import show_promoted

    show_promoted(Console(highlight=False), done)
    return 0


@feedback.command()
@click.option(
    "--token-file",
    type=_FILE,
    required=True,
    help="Lines NAME:TOKEN, one for each reader; for its owner's eyes only.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8422, show_default=True, help="0 takes any."
)
@click.option(
    "--allow-remote",
    "names",
    metavar="NAME",
    multiple=True,
    help="Lets --host be one that other machines reach, under this name, through a TLS proxy.",
)
@_configured
@workspace_option(exists=True)
@refusing_in_one_line
def serve(
    token_file: Path,
    host: str,
    port: int,
    names: tuple[str, ...],
    config: Path | None,
    settings: tuple[str, ...],
    log: Path | None,
    workspace: Path,
) -> int:
    """Takes opinions over HTTP until Ctrl+C: POST /feedback, with a bearer token.

    The token says who the reader is. A request has case_id or pixels_sha256, label, nonce and
    perhaps note, as JSON; the same nonce is taken once.
    """
    from pipeline.feedback.endpoint import serve as start

    resolved, places, served = _opened(config, settings, workspace, log)
    start(
        places,
        served,
        resolved.feedback,
        token_file=token_file,
        host=host,
        port=port,
        names=names,
        say=click.echo,
    )
    return 0


@feedback.command()
@workspace_option(exists=True)
@refusing_in_one_line
def verify(workspace: Path) -> int:
    """Checks the chain of feedback.jsonl; exits 4 and names the entry where it was altered."""
    from pipeline.feedback.places import FeedbackPlaces

    record = FeedbackPlaces(workspace.resolve()).record
    content = record.content()
    last = content.last
    click.echo(f"{record.path}: {last.seq:,} entries, unaltered; head {last.sha256}")
    if content.head != last:
        click.echo("the last entry is not in the head file yet; the next one puts that right")
    if content.torn:
        click.echo(f"{len(content.torn):,} bytes of an entry that was never acknowledged follow")
    return 0
