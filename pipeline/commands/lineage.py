"""`casegate lineage`: what an auditor asks of runs and releases, each question one command."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.records.run_files import RUN_STATES
from pipeline.commands import options
from pipeline.commands.answers import answered, of_one
from pipeline.commands.ending import group
from pipeline.commands.lineage_files import card, check, export, prove, trace

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence, Subject


@group()
def lineage() -> None:
    """What was run, judged and released: questions to the ledger, the records and ML Metadata.

    VERSION is a released version's number, RUN a run's id or the beginning of it. Every answer
    comes as text, JSON or CSV and ends with what it rests on.
    """


@lineage.command()
@answered
@of_one
def show(evidence: "Evidence", subject: "Subject") -> "Answer":
    """What one release or run was made of.

    Data, code, environment, configuration, policy, verdict, approvals and every check. Exits 4
    where the record was edited or ML Metadata says otherwise than the record.
    """
    from pipeline.evidence.questions.show import show

    return show(evidence, subject)


@lineage.command()
@answered
@of_one
def checks(evidence: "Evidence", subject: "Subject") -> "Answer":
    """Was everything verified before the release, with times that prove the order.

    Also whether the acceptance criteria were committed before the result. Exits 0 only where all
    of it is on record and in order, else 1.
    """
    from pipeline.evidence.questions.checks import checks

    return checks(evidence, subject)


@lineage.command()
@click.argument("case_set")
@answered
def looks(evidence: "Evidence", case_set: str) -> "Answer":
    """How often a case set was used, what was disclosed, how many looks are left."""
    from pipeline.evidence.questions.looks import looks

    return looks(evidence, case_set)


@lineage.command()
@click.option(
    "--at",
    required=True,
    metavar="DATETIME",
    help="Such as 2026-03-31T09:30:00+02:00; without a zone it is UTC.",
)
@options.destination("Only this one, such as serving/pneumonia.")
@answered
def live(evidence: "Evidence", at: str, destination: str | None) -> "Answer":
    """What was serving at some time, and whether it still is."""
    from pipeline.evidence.questions.live import live

    return live(evidence, at, destination=destination)


@lineage.command()
@click.option("--since", metavar="DATE", help="Only runs and waivers from this day or time on.")
@answered
def blocked(evidence: "Evidence", since: str | None) -> "Answer":
    """What was blocked, inconclusive, failed, killed or waived, and why."""
    from pipeline.evidence.questions.listing import blocked

    return blocked(evidence, since)


@lineage.command(name="list")
@click.option(
    "--verdict", type=click.Choice(["PASS", "FAIL", "INCONCLUSIVE"], case_sensitive=False)
)
@click.option("--state", type=click.Choice(RUN_STATES), help="What became of the run.")
@click.option("--since", metavar="DATE", help="From this day or time on.")
@click.option("--until", metavar="DATE", help="Up to the end of this day, or this time.")
@click.option("--commit", metavar="SHA", help="Runs of this commit, or of those that begin so.")
@click.option("--trigger", type=click.Choice(["commit", "schedule", "drift", "manual"]))
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N")
@answered
def list_(evidence: "Evidence", *, limit: int, **filters: str | None) -> "Answer":
    """Runs and what they released, newest first; rollbacks are lines of their own."""
    from pipeline.evidence.questions.listing import Filters, listing

    return listing(evidence, Filters(**filters), limit=limit)


@lineage.command()
@click.argument("query", required=False)
@click.option("--views", "show_views", is_flag=True, help="Lists the views and their columns.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, metavar="N")
@answered
def sql(evidence: "Evidence", *, query: str | None, show_views: bool, limit: int) -> "Answer":
    """Asks the metadata store one SELECT, read-only; QUERY from standard input if not given.

    The views of --views can be named like tables. They work the same on SQLite, PostgreSQL and
    MariaDB, for example: SELECT state, count(*) FROM runs GROUP BY state
    """
    from pipeline.evidence.questions.sql import sql, views

    if show_views:
        return views(evidence)
    return sql(evidence, sys.stdin.read() if query is None else query, limit=limit)


@lineage.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@options.destination("serving/MODEL, where a version stands in several.")
@answered
def diff(evidence: "Evidence", first: str, second: str, destination: str | None) -> "Answer":
    """What changed from A to B, each a version or a run.

    Code, data (cases added and removed), packages, configuration, acceptance criteria, metrics
    with intervals and their paired change, cases gained and lost, and who approved.
    """
    from pipeline.evidence.questions.diff import diff

    one, other = (evidence.subject(name, destination=destination) for name in (first, second))
    return diff(evidence, one, other)


@lineage.command()
@click.option("--case", metavar="ID", help="A withdrawn or mislabelled case.")
@options.file("--image", "A picture; it is known again however its file was encoded.", exists=True)
@click.option("--package", metavar="NAME==VERSION", help="A version that was withdrawn.")
@click.option("--commit", metavar="SHA", help="A bad commit, or its beginning.")
@click.option(
    "--reread",
    is_flag=True,
    help="Read every training manifest from end to end, and trust no index beside it.",
)
@answered
def impact(evidence: "Evidence", *, reread: bool, **asked: Any) -> "Answer":
    """Which models, runs and releases a bad image, package or commit reached.

    Says what of it is serving now. An image is looked for in all training data and in every
    version of every case set. Exit code 4 says that the answer is not complete, or that ML
    Metadata was altered.
    """
    from components.records.errors import UsageError
    from pipeline.evidence.questions.impact import impact_of_commit, impact_of_package
    from pipeline.evidence.questions.impact_image import impact_of_case, impact_of_image

    given = {kind: value for kind, value in asked.items() if value is not None}
    if len(given) != 1:
        raise UsageError("wanted one of --case, --image, --package and --commit")
    ((kind, value),) = given.items()
    if kind in ("case", "image"):
        of_picture = impact_of_case if kind == "case" else impact_of_image
        return of_picture(evidence, value, reread=reread)
    if reread:
        raise UsageError("--reread goes with --case or --image")
    return (impact_of_commit if kind == "commit" else impact_of_package)(evidence, value)


@lineage.command()
@click.option("--by", metavar="ATTRIBUTE", help="Only this attribute, beside the overall figures.")
@answered
@of_one
def performance(evidence: "Evidence", subject: "Subject", by: str | None) -> "Answer":
    """Every metric with its interval, overall and for every value of every attribute.

    Computed anew from the kept scores on the case set as it judged.
    """
    from pipeline.evidence.questions.performance import performance

    return performance(evidence, subject, by=by)


@lineage.command()
@answered
@of_one
def independence(evidence: "Evidence", subject: "Subject") -> "Answer":
    """Is any image or patient of the case set in the training data.

    Joins the two lists exactly, after checking both against the Merkle roots that the run
    recorded. Exit code 0: independent; 1: not; 4: it cannot be known, because a list is missing
    or is not the recorded one.
    """
    from pipeline.evidence.questions.independence import independence

    return independence(evidence, subject)


@lineage.command()
@click.argument("name", metavar="[VERSION|RUN]", required=False)
@click.option("--all", "all_", is_flag=True, help="Every run and release of the workspace.")
@answered
def verify(evidence: "Evidence", name: str | None, all_: bool) -> "Answer":
    """Recomputes every hash: models, scores, decisions, ledger, case sets, training data.

    Signatures and ML Metadata's rows are held against the records too. Without a name, what is
    serving now is verified. Names the first difference, and exits 4.
    """
    from components.records.errors import ConfigError
    from pipeline.evidence.verify.verify import verify

    if name is not None and all_:
        raise ConfigError(f"--all: leave it out to verify {name} alone, or leave out {name}")
    if all_:
        return verify(evidence, None)
    if name is not None:
        return verify(evidence, [evidence.subject(name)])
    served = evidence.serving().values()
    subjects = [evidence.subject(str(r.version), destination=r.destination) for r in served]
    return verify(evidence, subjects)


@lineage.command()
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-6,
    show_default=True,
    metavar="SIZE",
    help="The largest difference of a score that counts as reproduced.",
)
@options.folder(
    "--repository",
    "The git checkout that has the run's commit; by default the one casegate runs from.",
    exists=True,
)
@options.data("Where the training data are now.")
@click.option(
    "--fresh", is_flag=True, help="Makes code and environment anew even where they are here."
)
@click.option("--keep", is_flag=True, help="Leaves the scratch folder, and says where it is.")
@answered
@of_one
def reproduce(
    evidence: "Evidence", subject: "Subject", *, repository: Path | None, **asked: Any
) -> "Answer":
    """Runs the same code, packages, configuration and data once more, and compares the scores.

    In a scratch workspace, with the policy, case set, golden, champion and ledger as they were.
    Exit code 0: identical, or within the tolerance; 1: not; 2: it cannot be repeated here; 3: it
    was repeated, and another model had to come out, as noise of privacy is secret; 4: data, code or
    evidence is not what was recorded.
    """
    from pipeline.evidence.reproduce.reproduce import reproduce
    from pipeline.settings.config import REPOSITORY

    checkout, say = (repository or REPOSITORY).resolve(), partial(click.echo, err=True)
    return reproduce(evidence, subject, repository=checkout, say=say, **asked)


for command in (trace, card, prove, export, check):
    lineage.add_command(command)
