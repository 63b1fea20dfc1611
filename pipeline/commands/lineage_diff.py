"""`casegate lineage diff`: what changed between two releases."""

from typing import TYPE_CHECKING

import click

from pipeline.commands.lineage_shared import answered

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--destination", metavar="DIR", help="serving/MODEL, where a version stands in several."
)
@answered
def diff(evidence: "Evidence", first: str, second: str, destination: str | None) -> "Answer":
    """What changed from A to B, each a version or a run.

    Code, data (cases added and removed), packages, configuration, acceptance criteria, metrics
    with intervals and their paired change, cases gained and lost, and who approved.
    """
    from pipeline.evidence.questions.diff import diff

    one, other = (evidence.subject(name, destination=destination) for name in (first, second))
    return diff(evidence, one, other)
