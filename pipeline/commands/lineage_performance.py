"""`casegate lineage performance`: how well a model does, overall and by every attribute."""

from typing import TYPE_CHECKING

import click

from pipeline.commands.lineage_shared import answered, of_one

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence, Subject


@click.command()
@click.option("--by", metavar="ATTRIBUTE", help="Only this attribute, beside the overall figures.")
@answered
@of_one
def performance(evidence: "Evidence", subject: "Subject", by: str | None) -> "Answer":
    """Every metric with its interval, overall and for every value of every attribute.

    Computed anew from the kept scores on the case set as it judged.
    """
    from pipeline.evidence.questions.performance import performance

    return performance(evidence, subject, by=by)
