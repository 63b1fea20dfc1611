"""`casegate lineage reproduce`: does a run come out the same, run once more."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.lineage_shared import answered, of_one

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence, Subject


@click.command()
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-6,
    show_default=True,
    metavar="SIZE",
    help="The largest difference of a score that counts as reproduced.",
)
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="The git checkout that has the run's commit; by default the one casegate runs from.",
)
@click.option("--data", metavar="SOURCE", help="Where the training data are now.")
@click.option(
    "--fresh", is_flag=True, help="Makes code and environment anew even where they are here."
)
@click.option("--keep", is_flag=True, help="Leaves the scratch folder, and says where it is.")
@answered
@of_one
def reproduce(
    evidence: "Evidence",
    subject: "Subject",
    *,
    tolerance: float,
    repository: Path | None,
    data: str | None,
    fresh: bool,
    keep: bool,
) -> "Answer":
    """Runs the same code, packages, configuration and data once more, and compares the scores.

    In a scratch workspace, with the policy, case set, golden, champion and ledger as they were.
    Exit code 0: identical, or within the tolerance; 1: not; 2: it cannot be repeated here; 4:
    data, code or evidence is not what was recorded.
    """
    from pipeline.evidence.reproduce.reproduce import reproduce
    from pipeline.settings.config import REPOSITORY

    return reproduce(
        evidence,
        subject,
        repository=(repository or REPOSITORY).resolve(),
        say=lambda line: click.echo(line, err=True),
        tolerance=tolerance,
        data=data,
        fresh=fresh,
        keep=keep,
    )
