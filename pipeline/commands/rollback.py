"""`casegate rollback`: an earlier version becomes the champion again, by name."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import command
from pipeline.settings.workspace import Workspace


@command()
@options.workspace(exists=True)
@click.option("--to", "version", required=True, type=int, metavar="VERSION")
@options.person("Who takes the champion back.")
@click.option("--model-name", default="pneumonia", show_default=True, metavar="NAME")
@options.folder("--serving", "Where releases go; default: serving/ in the workspace.", exists=True)
def rollback(
    workspace: Path, version: int, by: str, reason: str, model_name: str, serving: Path | None
) -> int:
    """Makes an earlier version the champion again, under a new version number.

    The version that goes stays where it is, and counts as withdrawn: no run releases that model
    again until a person approves it as golden or rolls back to it.
    """
    from components.records.errors import CasegateError
    from pipeline.governance.rollback import roll_back
    from pipeline.run.recorder import update_store

    done = roll_back(
        workspace, to=version, by=by, reason=reason, model_name=model_name, serving=serving
    )
    click.echo(
        f"version {done.to_version} is the champion again, as version {done.new_version}: "
        f"{done.path}"
    )
    click.echo(f"version {done.from_version} is withdrawn (entry {done.seq} of the ledger)")
    try:
        update_store(Workspace(workspace.resolve()))
    except CasegateError as error:
        # It is done and in the ledger, which counts; the next run tells ML Metadata.
        click.echo(f"not yet in ML Metadata: {error}", err=True)
    return 0
