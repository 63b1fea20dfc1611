"""`casegate waive` and `casegate rollback`: what people decide over a verdict, by name."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import command
from pipeline.settings.workspace import Workspace


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


@command()
@options.workspace(exists=True)
@click.option("--to", required=True, type=int, metavar="VERSION")
@options.person("Who takes the champion back.")
@click.option("--model-name", default="pneumonia", show_default=True, metavar="NAME")
@options.folder("--serving", "Where releases go; default: serving/ in the workspace.", exists=True)
def rollback(workspace: Path, **asked: Any) -> int:
    """Makes an earlier version the champion again, under a new version number.

    The version that goes stays where it is, and counts as withdrawn: no run releases that model
    again until a person approves it as golden or rolls back to it.
    """
    from components.records.errors import CasegateError
    from pipeline.governance.rollback import roll_back
    from pipeline.run.recorder import update_store

    workspace = workspace.resolve()
    entry = roll_back(workspace, **asked)
    done = entry.body
    new = str(done["new_version"])
    click.echo(
        f"version {done['to_version']} is the champion again, as version {new}: "
        f"{workspace / done['destination'] / new}"
    )
    click.echo(f"version {done['from_version']} is withdrawn (entry {entry.seq} of the ledger)")
    try:
        update_store(Workspace(workspace))
    except CasegateError as error:
        # It is done and in the ledger, which counts; the next run tells ML Metadata.
        click.echo(f"not yet in ML Metadata: {error}", err=True)
    return 0
