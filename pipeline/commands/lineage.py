"""`casegate lineage`: what an auditor asks of runs and releases, each question one command."""

import sys
from typing import TYPE_CHECKING

import click

from components.records.run_files import RUN_STATES
from pipeline.commands.lineage_card import card
from pipeline.commands.lineage_diff import diff
from pipeline.commands.lineage_export import check, export
from pipeline.commands.lineage_impact import impact
from pipeline.commands.lineage_independence import independence
from pipeline.commands.lineage_performance import performance
from pipeline.commands.lineage_prove import prove
from pipeline.commands.lineage_reproduce import reproduce
from pipeline.commands.lineage_shared import answered, of_one
from pipeline.commands.lineage_trace import trace
from pipeline.commands.lineage_verify import verify

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence, Subject


@click.group()
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
@click.option("--destination", metavar="DIR", help="Only this one, such as serving/pneumonia.")
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
    from pipeline.evidence.questions.blocked import blocked

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
def list_(
    evidence: "Evidence",
    *,
    verdict: str | None,
    state: str | None,
    since: str | None,
    until: str | None,
    commit: str | None,
    trigger: str | None,
    limit: int,
) -> "Answer":
    """Runs and what they released, newest first; rollbacks are lines of their own."""
    from pipeline.evidence.questions.listing import Filters, listing

    filters = Filters(verdict, state, since, until, commit, trigger)
    return listing(evidence, filters, limit=limit)


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


for command in (
    trace,
    diff,
    impact,
    performance,
    independence,
    prove,
    reproduce,
    verify,
    card,
    export,
    check,
):
    lineage.add_command(command)
