"""`casegate lineage independence`: did a model know the cases that judged it."""

from typing import TYPE_CHECKING

import click

from pipeline.commands.lineage_shared import answered, of_one

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence, Subject


@click.command()
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
