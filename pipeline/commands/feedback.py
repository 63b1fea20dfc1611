"""`casegate feedback`: what readers decided about served cases, and what is made of it."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.ending import echo_utf8, group, print_answer
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.feedback.served import FeedbackPlaces, ServedCases
    from pipeline.settings.config import Config


@group()
def feedback() -> None:
    """What readers decided about cases that were served.

    Every opinion stays in feedback.jsonl in the workspace, chained by hashes as the ledger is; of
    each reader the newest one on a case counts.
    """


def _of_served_cases(command: Callable[..., int]) -> Callable[..., None]:
    """Makes a command of `command(config, places, served, ...)`.

    It gets the options --config, --set, --log and --workspace, by which each finds the same
    things. Its own options are declared above this one.
    """

    @options.config("YAML file of settings.")
    @options.settings(None)
    @click.option(
        "--log",
        type=click.Path(path_type=Path),
        metavar="FILE|DIR",
        help="The prediction log; default: monitoring.log, or predictions/ in the workspace.",
    )
    @options.workspace(exists=True)
    @wraps(command)
    def wrapped(
        config: Path | None,
        settings: tuple[str, ...],
        log: Path | None,
        workspace: Path,
        **own: Any,
    ) -> int:
        from pipeline.feedback.served import FeedbackPlaces, ServedCases
        from pipeline.settings.config import load_config

        resolved, place = load_config(config, settings), Workspace(workspace.resolve())
        served = ServedCases(place.prediction_log(log, resolved.monitoring.log))
        return command(resolved, FeedbackPlaces(place.root), served, **own)

    return wrapped


@feedback.command()
@click.option("--case", "case_id", metavar="ID", help="As the prediction log names it.")
@options.file("--image", "The image that was served; a copy is kept.")
@click.option("--label", type=click.Choice(["positive", "negative", "unsure"]), required=True)
@click.option("--by", required=True, metavar="NAME", help="Who read the case.")
@click.option("--note", metavar="TEXT", help="At most 2000 characters.")
@click.option("--adjudicates", is_flag=True, help="Settles the case, whatever other readers say.")
@_of_served_cases
def add(
    config: "Config",
    places: "FeedbackPlaces",
    served: "ServedCases",
    *,
    case_id: str | None,
    image: Path | None,
    adjudicates: bool,
    **opinion: Any,
) -> int:
    """Records what a reader says of a case that was served; refuses any other case."""
    from components.feedback.opinion import ADJUDICATOR, READER
    from pipeline.feedback.add import GivenOpinion
    from pipeline.feedback.add import add as record
    from pipeline.feedback.report import opinion_line

    given = GivenOpinion(role=ADJUDICATOR if adjudicates else READER, **opinion)
    click.echo(opinion_line(record(places, served, given, case_id=case_id, image=image)))
    return 0


@feedback.command()
@options.form("text", "json", "csv", "html", words="csv and html are the worklist alone.")
@_of_served_cases
def report(config: "Config", places: "FeedbackPlaces", served: "ServedCases", *, form: str) -> int:
    """How far model and readers agree, and the cases that somebody has to look at."""
    from pipeline.feedback.report import make_report, show_report

    found = make_report(places, served, readers=config.feedback.readers)
    if form == "csv":
        echo_utf8(found.worklist_csv())
        return 0
    if form == "html":
        from pipeline.feedback.worklist_page import worklist_page

        place, serving = Workspace(places.workspace), config.serving
        released = place.destination(serving.model_name, serving.directory)
        echo_utf8(worklist_page(found, places, served, released=released, runs=place.runs))
        return 0
    return print_answer(form, found.as_json, lambda page: show_report(page, found))


@feedback.command()
@options.person("Who promotes.")
@options.folder("--images", "Where images of served cases are; found by their pixels.", exists=True)
@click.option("--dry-run", is_flag=True, help="Says what would be done, and writes nothing.")
@options.form()
@_of_served_cases
def promote(
    config: "Config",
    places: "FeedbackPlaces",
    served: "ServedCases",
    *,
    images: Path | None,
    dry_run: bool,
    form: str,
    **signed: str,
) -> int:
    """Makes settled cases the next training span, and proposes missed ones as sentinels.

    A case is settled where enough readers agree (feedback.readers), or by an adjudicator. None is
    ever sent to both sides, nor is any patient.
    """
    from pipeline.feedback import promote as promoting
    from pipeline.feedback.report import show_promoted

    place = Workspace(places.workspace)
    if dry_run:
        done = promoting.preview(config, place, served, images)
    else:
        done = promoting.promote(config, place, served, images=images, **signed)
    return print_answer(form, done.as_json, lambda page: show_promoted(page, done))


@feedback.command()
@options.file(
    "--token-file",
    "Lines NAME:TOKEN, one for each reader; for its owner's eyes only.",
    required=True,
)
@options.listening(8422, remote=", through a TLS proxy.")
@_of_served_cases
def serve(config: "Config", places: "FeedbackPlaces", served: "ServedCases", **where: Any) -> int:
    """Takes opinions over HTTP until Ctrl+C: POST /feedback, with a bearer token.

    The token says who the reader is. A request has case_id or pixels_sha256, label, nonce and
    perhaps note, as JSON; the same nonce is taken once.
    """
    from pipeline.feedback.endpoint import serve as start

    start(places, served, config.feedback, say=click.echo, **where)
    return 0


@feedback.command()
@options.workspace(exists=True)
def verify(workspace: Path) -> int:
    """Checks the chain of feedback.jsonl; exits 4 and names the entry where it was altered."""
    from pipeline.feedback.served import FeedbackPlaces

    record = FeedbackPlaces(workspace.resolve()).record
    content = record.content()
    last = content.last
    click.echo(f"{record.path}: {last.seq:,} entries, unaltered; head {last.sha256}")
    if not content.recorded:
        click.echo("the last entry is not in the head file yet; the next one puts that right")
    if content.torn:
        click.echo(f"{len(content.torn):,} bytes of an entry that was never acknowledged follow")
    return 0
