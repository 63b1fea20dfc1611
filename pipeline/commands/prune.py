"""`casegate prune`: removes what no release, golden or rule holds on to any more."""

from pathlib import Path

import click

from pipeline.commands.shared import echo_json, refusing_in_one_line, workspace_option


@click.command()
@workspace_option(exists=True)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run configuration, for its section retention.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="A setting on top of the file, e.g. retention.keep_days=90.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and touch nothing.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@refusing_in_one_line
def prune(
    workspace: Path, config_path: Path | None, settings: tuple[str, ...], dry_run: bool, form: str
) -> int:
    """Removes intermediate files of old runs, and what killed runs left.

    Examples, trained candidates, evaluations and the like, under artifacts/ in the workspace.
    Records, decisions, scores, reports and releases stay for ever; and of what the served model,
    golden, a proposal or a valid waiver came from, everything stays. Earlier versions that are
    still in their folder keep their model, not the copies of the images it was trained on. What
    goes is listed in retention/, and in the ledger.
    """
    from pipeline.settings.config import load_config
    from pipeline.settings.workspace import Workspace
    from pipeline.unattended.retention.prune import lines, prune

    config = load_config(config_path, settings)
    found = prune(config.retention, Workspace(workspace), dry_run=dry_run)
    if form == "json":
        echo_json(found.as_json())
    else:
        for line in lines(found):
            click.echo(line)
    return 0
