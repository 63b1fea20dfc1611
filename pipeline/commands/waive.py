"""`casegate waive`: lets a failed check through, visibly, by two names and until a date."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import command


@command()
@click.argument("check")
@options.workspace(exists=True)
@click.option("--run", "run_id", required=True, metavar="ID", help="The run in which it failed.")
@click.option("--by", required=True, metavar="NAME", help="Who lets it through.")
@click.option("--second", required=True, metavar="NAME", help="Who agrees: another person.")
@click.option("--reason", required=True, metavar="TEXT")
@click.option(
    "--expires", required=True, metavar="DATE", help="Last day it holds, 366 days at most."
)
def waive(check: str, workspace: Path, run_id: str, expires: str, **signed: Any) -> int:
    """Lets CHECK of a run's decision through, for that candidate, case set and policy alone.

    CHECK is the name in the decision, such as 'sensitivity[overall].floor'. Integrity, scores that
    are not numbers, sentinels, the self-test and a missing baseline can never be waived.
    """
    from pipeline.governance.waiver import waive_check

    entry = waive_check(workspace, check, run_id=run_id, expires=expires, **signed)
    click.echo(
        f"waived until {expires} by {entry.by} and {entry.body['second']}: {check} "
        f"(entry {entry.seq} of the ledger)"
    )
    click.echo(
        "run again: the waiver applies while candidate, case set and policy are those of run "
        f"{run_id}, and is shown in the decision and the report"
    )
    return 0
