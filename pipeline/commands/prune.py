"""`casegate prune`: removes what no release, golden or rule holds on to any more."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_json
from pipeline.settings.workspace import Workspace


@command()
@options.workspace(exists=True)
@options.config("Run configuration, for its section retention.")
@options.settings("A setting on top of the file, e.g. retention.keep_days=90.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and touch nothing.")
@options.form()
def prune(
    workspace: Path, config: Path | None, settings: tuple[str, ...], dry_run: bool, form: str
) -> int:
    """Removes intermediate files of old runs, and what killed runs left.

    Examples, trained candidates, evaluations and the like, under artifacts/ in the workspace.
    Records, decisions, scores, reports and releases stay for ever; and of what the served model,
    golden, a proposal or a valid waiver came from, everything stays. Earlier versions that are
    still in their folder keep their model, not the copies of the images it was trained on. What
    goes is listed in retention/, and in the ledger.
    """
    from pipeline.settings.config import load_config
    from pipeline.unattended.retention.prune import as_text, prune

    retention = load_config(config, settings).retention
    found = prune(retention, Workspace(workspace), dry_run=dry_run)
    if form == "json":
        echo_json(found.as_json())
    else:
        click.echo(as_text(found))
    return 0
