"""`casegate baseline`: the golden scores, which move only by a named person's approval."""

from pathlib import Path

import click

from pipeline.commands.shared import refusing_in_one_line, workspace_option


@click.group()
def baseline() -> None:
    """The golden scores that every candidate is compared with."""


@baseline.command()
@workspace_option(exists=True)
@click.option("--run", "run_id", metavar="ID", help="Default: the newest run with a decision.")
@click.option("--by", required=True, metavar="NAME", help="Who approves.")
@click.option("--reason", required=True, metavar="TEXT")
@refusing_in_one_line
def bootstrap(workspace: Path, run_id: str | None, by: str, reason: str) -> int:
    """Approves a run's candidate as the first golden, by name.

    Refused where golden scores exist already, or where the candidate failed.
    """
    from pipeline.approval import bootstrap_golden

    path = bootstrap_golden(workspace, run_id=run_id, by=by, reason=reason)
    click.echo(f"golden scores approved by {by}: {path}")
    click.echo("run again to judge and release the candidate against them")
    return 0
